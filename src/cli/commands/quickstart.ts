import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { sleep } from "../../base/clock.ts";
import { findCondition } from "../../api/conditions.ts";
import type { Node } from "../../api/node.ts";
import { isNotFound } from "../../api/status-error.ts";
import type { Workspace } from "../../api/workspace.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { durationArgument } from "../duration-argument.ts";
import { packageRoot } from "../package-info.ts";
import { shortName } from "../node-reach.ts";
import { readSources } from "../manifest-sources.ts";
import type { ManifestObject } from "../../manifests/read-manifests.ts";
import { parseManifests } from "../manifests.ts";
import { isServing, stopServer } from "../server-control.ts";
import type { Session } from "../session.ts";
import { cellText, tableLines } from "../table-text.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";
import { CliError } from "../world.ts";
import { applyObjects } from "./apply.ts";
import { deleteAll } from "./delete.ts";

const nodeMsMax = 20_000;
const nodePollMs = 100;
const deleteMsMax = 120_000;
const unattendedListedMax = 10;

type Provider = "docker" | "host";

export interface QuickstartOptions {
  readonly dir?: string | undefined;
  readonly timeout?: string | undefined;
}

/** Applies the example and waits until it works: in a Docker container where there is Docker, as plain processes otherwise. */
export async function quickstartUp(session: Session, { dir, timeout }: QuickstartOptions): Promise<void> {
  const timeoutMs = durationArgument(timeout ?? "120s");
  const directory = directoryOf(dir);
  const store = await session.connect();
  const node = await readyNode(session, store);
  const docker = node.status?.providers?.find((each) => each.name === "docker");
  const provider: Provider = docker?.usable === true ? "docker" : "host";
  if (provider === "host") session.tell(`Docker is not usable${docker?.message === undefined ? "" : ` (${docker.message})`}: the services will run as plain processes of this machine, with no isolation.`);
  else session.tell("Using Docker.");
  const objects = await manifestsOf(session, directory, provider);
  for (const object of objects) if (object.kind === "Workspace") await refuseOther(store, object, provider);
  await applyObjects(session, objects);
  await waitUntilSettled(session, store, objects, timeoutMs);
  await printServices(session, store, objects);
}

/** Deletes the example, waits until it is gone, and stops the server; tells what goes on running without it. */
export async function quickstartDown(session: Session, { dir }: QuickstartOptions): Promise<void> {
  const { paths, world } = session;
  const serving = await isServing(paths, world.clock, session.signal);
  if (!serving && !existsSync(paths.storeDir)) return session.tell("Nothing to do: no vendetta server has ever run here.");
  const objects = await manifestsOf(session, directoryOf(dir), "host");
  const store = await session.connect();
  await deleteAll(session, store, objects.map(({ kind, namespace, name }) => ({ kind, namespace, name })), { timeoutMs: deleteMsMax, wait: true });
  const others = (await store.list("Workspace")).items;
  const pid = await stopServer(session);
  if (pid !== undefined) session.print(`The vendetta server (pid ${pid}) has stopped.`);
  const unattended = unattendedLine(others);
  if (unattended !== undefined) session.print(unattended);
}

/** Exported for its test. What a server that stops leaves running; undefined: nothing. */
export function unattendedLine(workspaces: readonly Pick<Workspace, "metadata" | "spec">[]): string | undefined {
  const names = workspaces.filter(({ spec }) => spec.state === "Running").map(shortName);
  if (names.length === 0) return undefined;
  const shown = [...names.slice(0, unattendedListedMax), ...(names.length > unattendedListedMax ? [`and ${names.length - unattendedListedMax} more`] : [])].join(", ");
  return `Other Workspaces go on running, and nobody looks after them: ${shown}. 'vendetta server start' takes them up again.`;
}

function directoryOf(dir: string | undefined): string {
  const directory = dir === undefined ? join(packageRoot(), "examples", "quickstart") : resolve(dir);
  if (!existsSync(join(directory, "services.yaml"))) throw new CliError(`Cannot find the quickstart's services.yaml in ${directory}; name its directory with --dir`);
  return directory;
}

/** Services before the Workspace, as `apply` has them. */
async function manifestsOf(session: Session, directory: string, provider: Provider): Promise<readonly ManifestObject[]> {
  const sources = await readSources([join(directory, "services.yaml"), join(directory, `workspace.${provider}.yaml`)], { recursive: false, stdin: session.world.stdin });
  return parseManifests(sources, session);
}

/** The first Node that is Ready and has been looked at for engines. */
async function readyNode({ world: { clock }, signal }: Session, store: HttpStore): Promise<Node> {
  const begun = clock.monotonic();
  for (;;) {
    const { items } = await store.list("Node");
    const node = items.find((each) => findCondition(each.status?.conditions, "Ready")?.status === "True" && each.status?.providers !== undefined);
    if (node !== undefined) return node;
    if (clock.monotonic() - begun > nodeMsMax) {
      const [first] = items;
      const why = first === undefined ? "there is none" : (findCondition(first.status?.conditions, "Ready")?.message ?? "it has not been looked at yet");
      throw new CliError(`No Node is Ready after ${nodeMsMax / 1000} s: ${why}; 'vendetta describe nodes' tells more`);
    }
    await sleep(clock, nodePollMs, signal);
  }
}

async function refuseOther(store: HttpStore, { namespace, name }: ManifestObject, provider: Provider): Promise<void> {
  let existing: Workspace;
  try {
    existing = await store.get("Workspace", { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  if (existing.metadata.deletionTimestamp !== undefined) throw new CliError(`Workspace "${name}" is still being deleted; wait with 'vendetta wait workspace ${name} --for=delete', then try again`);
  if (existing.spec.provider !== provider) {
    throw new CliError(`Workspace "${name}" exists with provider ${existing.spec.provider}, and the quickstart would now use ${provider}; run 'vendetta quickstart down' first, then 'vendetta quickstart up' again`);
  }
}

async function printServices(session: Session, store: HttpStore, objects: readonly ManifestObject[]): Promise<void> {
  const rows: string[][] = [];
  for (const { kind, namespace, name } of objects) {
    if (kind !== "Service") continue;
    const { status } = await store.get("Service", { namespace, name });
    rows.push([name, cellText(status?.phase), status?.url ?? "-"]);
  }
  session.print("");
  for (const line of tableLines({ header: ["SERVICE", "STATUS", "URL"], rows }, { style: session.outStyle, header: true })) session.print(line);
  const command = (text: string, what: string) => session.print(`  ${text.padEnd(32)}${session.outStyle.dim(what)}`);
  session.print("\nNext:");
  command("npx vendetta get services", "all services, with their URLs");
  command("npx vendetta logs worker -f", "what the worker writes");
  command("npm stop", "delete it all and stop the server");
}
