import { sleep } from "../../base/clock.ts";
import type { KindName } from "../../api/registry.ts";
import { isGone } from "../../api/status-error.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { clusterLines } from "../cluster-lines.ts";
import { clusterView, type ClusterView } from "../cluster-view.ts";
import type { Session } from "../session.ts";
import { CliError, ExitError } from "../world.ts";

export interface ClusterStatusOptions {
  readonly output?: string | undefined;
  readonly watch?: boolean | undefined;
  readonly check?: boolean | undefined;
}

const kinds = ["Node", "Workspace", "Service", "Source"] as const satisfies readonly KindName[];
/** Between two looks while things change. */
const pauseMs = 300;

/** What is there and what is wrong with it, at one look. */
export async function clusterStatus(session: Session, { output, watch, check }: ClusterStatusOptions): Promise<void> {
  if (output !== undefined && output !== "json") throw new CliError(`-o "${output}" is not known; it is json, or left out`);
  if (watch === true && check === true) throw new CliError("--check answers by its exit code, and --watch never ends: take one of them");
  const store = await session.connect();
  const show = (text: string) => void session.world.stdout.write(text);
  if (watch === true) return await follow(session, store, (view) => show(textOf(session, view, output, true)));
  const view = await look(store);
  show(textOf(session, view, output, false));
  if (check === true && !view.healthy) throw new ExitError(1);
}

async function look(store: HttpStore): Promise<ClusterView> {
  const [nodes, workspaces, services, sources] = await Promise.all([store.list("Node"), store.list("Workspace"), store.list("Service"), store.list("Source")]);
  return clusterView({ nodes: nodes.items, workspaces: workspaces.items, services: services.items, sources: sources.items });
}

function textOf({ world: { stdout }, outStyle: style }: Session, view: ClusterView, output: string | undefined, isWatch: boolean): string {
  if (output === "json") return isWatch ? `${JSON.stringify(view)}\n` : `${JSON.stringify(view, undefined, 2)}\n`;
  const isTerminal = stdout.isTTY === true;
  const text = clusterLines(view, { style, columns: isTerminal ? stdout.columns : undefined, rows: isTerminal && isWatch ? stdout.rows : undefined }).map((line) => `${line}\n`).join("");
  if (!isWatch) return text;
  // From the top, each line to its end, then what is left of the last picture.
  return isTerminal ? `\u001b[H${text.replaceAll("\n", "\u001b[K\n")}\u001b[J` : `${text}\n`;
}

/** Shows each picture that differs from the one before, until the session's signal aborts. */
async function follow(session: Session, store: HttpStore, show: (view: ClusterView) => void): Promise<void> {
  let wake: () => void = () => {};
  let changed = true;
  const failed = new AbortController();
  const signal = AbortSignal.any([session.signal, failed.signal]);
  const hint = () => {
    changed = true;
    wake();
  };
  signal.addEventListener("abort", hint, { once: true });
  const watches = kinds.map((kind) => watchKind(store, kind, hint, signal).catch((error: unknown) => failed.abort(error)));
  let last = "";
  if (session.world.stdout.isTTY === true) session.world.stdout.write("\u001b[2J");
  try {
    while (!signal.aborted) {
      if (!changed) await new Promise<void>((resolve) => (wake = resolve));
      changed = false;
      if (signal.aborted) break;
      const view = await look(store);
      const text = JSON.stringify(view);
      if (text !== last) show(view);
      last = text;
      await sleep(session.world.clock, pauseMs, signal);
    }
  } finally {
    failed.abort(new Error("over"));
    await Promise.all(watches);
  }
  signal.throwIfAborted();
}

async function watchKind(store: HttpStore, kind: KindName, hint: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      // From now; what was before is looked at after this has begun, and after it has begun again.
      hint();
      for await (const event of store.watch(kind, {}, signal)) if (event.type !== "BOOKMARK") hint();
    } catch (error) {
      if (signal.aborted) return;
      if (!isGone(error)) throw error;
    }
  }
}
