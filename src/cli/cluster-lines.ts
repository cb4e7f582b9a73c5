import type { ClusterView, NodeLine, ResourceUse } from "./cluster-view.ts";
import type { Style } from "./style.ts";
import { cellText, tableLines } from "./table-text.ts";

export interface ClusterLayout {
  readonly style: Style;
  /** Size of the terminal; undefined: as wide and as long as it gets. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** Rows that a section keeps, however low the terminal is. */
const sectionRowsMin = 3;
/** Lines of headings and between sections. */
const frameLines = 14;

/** A terminal with fewer columns has no room for addresses. */
const addressColumnsMin = 100;

const allNodeColumns: readonly (readonly [header: string, cell: (node: NodeLine) => string])[] = [
  ["NAME", (node) => `${node.name}${node.schedulable ? "" : " (cordoned)"}`],
  ["READY", (node) => node.ready],
  ["ADDRESS", (node) => node.address],
  ["PROVIDERS", (node) => node.providers.join(",")],
  ["CPU", (node) => used(node.cpu)],
  ["MEMORY", (node) => used(node.memory)],
  ["FREE", (node) => node.diskFree ?? ""],
  ["PLACED", (node) => String(node.workspaces)],
];

/** The view as text: what is wrong first, and nothing wider than the terminal. Pure. */
export function clusterLines(view: ClusterView, { style, columns, rows }: ClusterLayout): readonly string[] {
  const room = rows === undefined ? Number.POSITIVE_INFINITY : Math.max(sectionRowsMin * 3, rows - frameLines - view.nodes.length);
  const share = Math.max(sectionRowsMin, Math.floor(room / 3));
  const spaced = new Set([...view.workspaces, ...view.services].map((each) => each.namespace)).size > 1;
  const named = (each: { readonly namespace: string | null; readonly name: string }) => (spaced && each.namespace !== null ? `${each.namespace}/${each.name}` : each.name);
  // Where a machine is, 'node list' tells, too.
  const nodeColumns = columns !== undefined && columns < addressColumnsMin ? allNodeColumns.filter(([header]) => header !== "ADDRESS") : allNodeColumns;
  const section = (title: string, header: readonly string[], all: readonly (readonly string[])[], max: number) => {
    if (all.length === 0) return [];
    const shown = all.slice(0, max);
    return ["", style.bold(title), ...tableLines({ header, rows: shown.map((row) => row.map(cellText)) }, { style, header: true, columns }), ...(shown.length < all.length ? [style.dim(`… and ${all.length - shown.length} more`)] : [])];
  };
  const problems = view.problems.map((each) => [`${each.kind.toLowerCase()}/${named(each)}`, each.state, each.message]);
  return [
    ...(problems.length === 0 ? [style.good("All is as wished.")] : section(problems.length === 1 ? "1 problem" : `${problems.length} problems`, ["OBJECT", "STATUS", "MESSAGE"], problems, share).slice(1)),
    ...section(`Nodes (${view.nodes.filter((each) => each.ready === "True").length} of ${view.nodes.length} Ready)`, nodeColumns.map(([header]) => header), view.nodes.map((each) => nodeColumns.map(([, cell]) => cell(each))), Number.POSITIVE_INFINITY),
    ...section(`Workspaces (${view.workspaces.filter((each) => each.ready).length} of ${view.workspaces.length} Ready)`, ["NAME", "STATUS", "PROVIDER", "NODE", "SERVICES READY", "RESTARTS"], view.workspaces.map((each) => [named(each), each.phase, each.provider, each.node ?? "", `${each.servicesReady} of ${each.services}`, String(each.restarts)]), share),
    ...section(`Services (${view.services.filter((each) => each.ready).length} of ${view.services.length} Ready)`, ["NAME", "STATUS", "WORKSPACE", "RESTARTS", "URL"], view.services.map((each) => [named(each), each.phase, each.workspace, String(each.restarts), each.url ?? ""]), share),
  ];
}

/** "0.5 of 8". */
const used = ({ capacity, requested }: ResourceUse) => (capacity === null ? "" : `${requested} of ${capacity}`);
