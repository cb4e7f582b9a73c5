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
const sectionRowsMin = 2;
/** Of each section: the line before it, its title, its header, and how many more there are. One is the prompt's. */
const frameLines = 4 * 4 + 1;

/** A terminal with fewer columns has no room for what 'node list' and 'node status' tell, too. */
const allColumnsMin = 100;
const wideColumns: readonly string[] = ["ADDRESS", "FREE"];

const allNodeColumns: readonly (readonly [header: string, cell: (node: NodeLine) => string])[] = [
  ["NAME", (node) => `${node.name}${node.drained ? " (drained)" : node.schedulable ? "" : " (cordoned)"}`],
  ["READY", (node) => node.ready],
  ["ADDRESS", (node) => node.address],
  ["PROVIDERS", (node) => node.providers.join(",")],
  ["CPU", (node) => used(node.cpu)],
  ["MEMORY", (node) => used(node.memory)],
  ["DISK", (node) => used(node.disk)],
  ["FREE", (node) => node.diskFree ?? ""],
  ["PLACED", (node) => String(node.workspaces)],
];

/** The view as text: what is wrong first, and nothing wider than the terminal. Pure. */
export function clusterLines(view: ClusterView, { style, columns, rows }: ClusterLayout): readonly string[] {
  const [problemRows, nodeRows, workspaceRows, serviceRows] = shares([view.problems, view.nodes, view.workspaces, view.services].map((each) => each.length), rows === undefined ? undefined : rows - frameLines);
  const spaced = new Set([...view.workspaces, ...view.services].map((each) => each.namespace)).size > 1;
  const named = (each: { readonly namespace: string | null; readonly name: string }) => (spaced && each.namespace !== null ? `${each.namespace}/${each.name}` : each.name);
  const nodeColumns = columns !== undefined && columns < allColumnsMin ? allNodeColumns.filter(([header]) => !wideColumns.includes(header)) : allNodeColumns;
  const section = (title: string, header: readonly string[], all: readonly (readonly string[])[], max = 0) => {
    if (all.length === 0) return [];
    const shown = all.slice(0, max);
    // Why something is wrong is worth a second line, but where lines are counted.
    const wrapLast = rows === undefined && header.at(-1) === "MESSAGE";
    return ["", style.bold(title), ...tableLines({ header, rows: shown.map((row) => row.map(cellText)) }, { style, header: true, columns, wrapLast }), ...(shown.length < all.length ? [style.dim(`… and ${all.length - shown.length} more`)] : [])];
  };
  const problems = view.problems.map((each) => [`${each.kind.toLowerCase()}/${named(each)}`, each.state, each.message]);
  return [
    ...(problems.length === 0 ? [style.good("All is as wished.")] : section(problems.length === 1 ? "1 problem" : `${problems.length} problems`, ["OBJECT", "STATUS", "MESSAGE"], problems, problemRows).slice(1)),
    ...section(`Nodes (${view.nodes.filter((each) => each.ready === "True").length} of ${view.nodes.length} Ready)`, nodeColumns.map(([header]) => header), view.nodes.map((each) => nodeColumns.map(([, cell]) => cell(each))), nodeRows),
    ...section(`Workspaces (${view.workspaces.filter((each) => each.ready).length} of ${view.workspaces.length} Ready)`, ["NAME", "STATUS", "PROVIDER", "NODE", "SERVICES READY", "RESTARTS"], view.workspaces.map((each) => [named(each), each.phase, each.provider, each.node ?? "", `${each.servicesReady} of ${each.services}`, String(each.restarts)]), workspaceRows),
    ...section(`Services (${view.services.filter((each) => each.ready).length} of ${view.services.length} Ready)`, ["NAME", "STATUS", "WORKSPACE", "RESTARTS", "URL"], view.services.map((each) => [named(each), each.phase, each.workspace, String(each.restarts), each.url ?? ""]), serviceRows),
  ];
}

/** Rows for each section: those that need little leave the rest to the others. */
export function shares(needs: readonly number[], room: number | undefined): readonly number[] {
  if (room === undefined) return needs;
  let left = room;
  const given = needs.map(() => 0);
  const bySize = needs.map((need, i) => ({ need, i })).sort((a, b) => a.need - b.need);
  for (const [done, { need, i }] of bySize.entries()) {
    const share = Math.min(need, Math.max(sectionRowsMin, Math.floor(left / (needs.length - done))));
    given[i] = share;
    left -= share;
  }
  return given;
}

/** "0.5 of 8". */
const used = ({ capacity, requested }: ResourceUse) => (capacity === null ? "" : `${requested} of ${capacity}`);
