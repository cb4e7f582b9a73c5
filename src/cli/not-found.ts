import { closestWord } from "../api/closest-word.ts";
import { kindPaths } from "../api/paths.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import { isNotFound, orNone, StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { Session } from "./session.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

/** Objects of which names are read to say what could have been meant. */
const readMax = 500;
const listedMax = 10;

type Place = Pick<Session, "namespace" | "connect">;

/** What to type where an object of the other kind has the name; `options` is -n as it must be given, with a space before, or "". */
export type Instead = (found: KindMap["Workspace"] | KindMap["Service"], services: readonly string[], options: string) => string;

/** ` -n team`, for a command that somebody is to type. */
export const roomOption = ({ namespace }: Pick<Session, "namespace">): string => (namespace === "default" ? "" : ` -n ${namespace}`);

/** Carries out what may find that an object is not there; then says what there is, and what to type. */
export async function orInstead<T>(session: Place, instead: Instead, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw await explained(session, error, instead);
  }
}

/**
 * An error with the next step added when it says that an object or a namespace does not exist: Workspaces and Services are
 * easily taken for each other, and namespaces forgotten. Any other error is answered as it is.
 */
export async function explained(session: Place, error: unknown, instead?: Instead): Promise<unknown> {
  // One with a cause was not the server's answer.
  if (!isNotFound(error) || error.cause !== undefined) return error;
  const hint = await hintFor(session, error, instead);
  return hint === undefined ? error : new CliError(`${error.message}; ${hint}`, { cause: error });
}

/** What to do about a namespace that does not exist; undefined when it does. */
export async function namespaceHint(store: Pick<Store, "get" | "list">, name: string): Promise<string | undefined> {
  if ((await find(store, "Namespace", { name })) !== undefined) return undefined;
  const { items } = await store.list("Namespace", { limit: readMax });
  const meant = closestWord(name, items.map(({ metadata }) => metadata.name));
  if (meant !== undefined) return `did you mean "${meant}"?`;
  const made = /^[a-z0-9-]{1,63}$/.test(name) ? `; to make it: echo '{apiVersion: v1, kind: Namespace, metadata: {name: ${name}}}' | vendetta apply -f -` : "";
  return `'vendetta get namespaces' lists those there are${made}`;
}

/** The sentence to add when a list came out empty because there is no such namespace; undefined when there is. */
export async function emptyHint({ namespace, connect }: Pick<Session, "namespace" | "connect">): Promise<string | undefined> {
  const hint = await namespaceHint(await connect(), namespace);
  return hint === undefined ? undefined : `There is no namespace "${printable(namespace)}"; ${hint}`;
}

async function hintFor(session: Place, { details: { kind: plural, name } }: StatusError, instead: Instead | undefined): Promise<string | undefined> {
  const kind = (Object.keys(kindPaths) as readonly KindName[]).find((each) => kindPaths[each].plural === plural);
  if (kind === undefined || name === undefined) return undefined;
  const store = await session.connect();
  if (kind === "Namespace") return await namespaceHint(store, name);
  if (!kindPaths[kind].namespaced) return await nearest(store, kind, undefined, name);
  const noRoom = await namespaceHint(store, session.namespace);
  if (noRoom !== undefined) return `there is no namespace "${session.namespace}"; ${noRoom}`;
  const other = kind === "Workspace" ? await find(store, "Service", { namespace: session.namespace, name }) : kind === "Service" ? await find(store, "Workspace", { namespace: session.namespace, name }) : undefined;
  if (other !== undefined) return await otherKind(session, store, other, instead);
  const { items } = await store.list(kind, { fields: [{ path: "metadata.name", equal: true, value: name }], limit: readMax });
  const rooms = items.map(({ metadata }) => metadata.namespace!);
  if (rooms.length > 0) return `there is one in namespace ${listed(rooms)}: give -n ${rooms[0]}`;
  return await nearest(store, kind, session.namespace, name);
}

async function nearest(store: Store, kind: KindName, namespace: string | undefined, name: string): Promise<string | undefined> {
  const { items } = await store.list(kind, { namespace, limit: readMax });
  const near = closestWord(name, items.map(({ metadata }) => metadata.name));
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

async function otherKind(session: Place, store: Store, found: KindMap["Workspace"] | KindMap["Service"], instead: Instead | undefined): Promise<string> {
  const { name } = found.metadata;
  const workspace = found.kind === "Service" ? found.spec.workspace : name;
  const services = (await store.list("Service", { namespace: session.namespace, fields: [{ path: "spec.workspace", equal: true, value: workspace }], limit: readMax })).items.map(({ metadata }) => metadata.name);
  const what = found.kind === "Service" ? `"${name}" is a Service, in Workspace "${workspace}"` : `"${name}" is a Workspace, ${services.length === 0 ? "without Services" : `with ${services.length === 1 ? "the Service" : "the Services"} ${listed(services)}`}`;
  return instead === undefined ? what : `${what}: ${instead(found, services, roomOption(session))}`;
}

function listed(names: readonly string[]): string {
  return printable(`${names.slice(0, listedMax).join(", ")}${names.length > listedMax ? ` and ${names.length - listedMax} more` : ""}`);
}

function find<K extends KindName>(store: Pick<Store, "get" | "list">, kind: K, ref: { readonly namespace?: string; readonly name: string }): Promise<KindMap[K] | undefined> {
  return orNone(store.get(kind, ref));
}
