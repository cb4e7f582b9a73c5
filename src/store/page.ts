import { StatusError, versionTooLarge } from "../api/status-error.ts";
import type { AnyObject, KindName } from "../api/registry.ts";
import type { Commit } from "./commit.ts";
import { compareCodeUnits, type ObjectTable } from "./object-table.ts";
import type { ListOptions, ListResult } from "./store.ts";
import { selects } from "./watcher.ts";

/** Where the next page starts: after this object, in the list as it was at that version; at any, when `version` is -1. */
interface ContinueToken {
  readonly version: number;
  readonly namespace: string;
  readonly name: string;
}

const anyVersion = -1;

function encodeToken({ version, namespace, name }: ContinueToken): string {
  return Buffer.from(JSON.stringify([version, namespace, name])).toString("base64url");
}

function decodeToken(token: string): ContinueToken {
  try {
    const [version, namespace, name, ...rest] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
    if (Number.isSafeInteger(version) && (version as number) >= anyVersion && typeof namespace === "string" && typeof name === "string" && rest.length === 0) return { version: version as number, namespace, name };
  } catch {
    // Not our JSON: refused below like any other text that is no token.
  }
  throw new StatusError("BadRequest", "Cannot go on with this list: the continue token is not one that this server gave; list again without it");
}

type Place = readonly [namespace: string, name: string];

function isAfter([namespace, name]: Place, token: ContinueToken | undefined): boolean {
  if (token === undefined) return true;
  const byNamespace = compareCodeUnits(namespace, token.namespace);
  return byNamespace > 0 || (byNamespace === 0 && compareCodeUnits(name, token.name) > 0);
}

/**
 * One page of a list.
 * @param version the version the table is at
 * @param historyAfter commits of the kind after a version; undefined when they are no longer all kept
 */
export function listPage(
  table: ObjectTable,
  version: number,
  historyAfter: (version: number) => readonly Commit[] | undefined,
  kind: KindName,
  options: ListOptions,
): ListResult<AnyObject> {
  const { namespace, labels, fields } = options;
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : Infinity;
  const token = options.continue === undefined || options.continue === "" ? undefined : decodeToken(options.continue);
  const wanted = token?.version ?? (options.at === undefined ? anyVersion : Number(options.at));
  const at = wanted === anyVersion ? version : wanted;
  if (Number.isNaN(at)) throw new StatusError("BadRequest", `Cannot list at resourceVersion ${JSON.stringify(options.at)}: it is not one that this server gave`);
  if (token === undefined && at > version) throw versionTooLarge(String(options.at), String(version));
  const since = at === version ? [] : at > version ? undefined : historyAfter(at);
  if (since === undefined) throw token === undefined ? new StatusError("Expired", "The resourceVersion for the provided list is too old.") : expiredToken(token);
  const past = at === version ? undefined : stateBefore(since);

  const places = [...placesOf(table, kind, namespace, past)].filter((place) => isAfter(place, token));
  const items: AnyObject[] = [];
  for (const [i, [room, name]] of places.entries()) {
    const key = `${room}/${name}`;
    const object = past?.has(key) ? past.get(key) : table.get(kind, room, name);
    if (object === undefined || !selects(options, object)) continue;
    if (items.length === limit) {
      const last = items.at(-1)!.metadata;
      const selecting = labels?.length || fields?.length;
      const left = past === undefined ? places.length - i : places.slice(i).filter(([n, m]) => !past.has(`${n}/${m}`) || past.get(`${n}/${m}`) !== undefined).length;
      return {
        items,
        resourceVersion: String(at),
        continue: encodeToken({ version: at, namespace: last.namespace ?? "", name: last.name }),
        ...(!selecting && { remainingItemCount: left }),
      };
    }
    items.push(object);
  }
  return { items, resourceVersion: String(at) };
}

/** The words are Kubernetes', and so is the way on: a token for the rest of the list as it is now. */
function expiredToken(token: ContinueToken): StatusError {
  const message =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
  return new StatusError("Expired", message, {}, { continue: encodeToken({ ...token, version: anyVersion }) });
}

/** What differed at an older version: the state of each object changed since, undefined when it was not there. */
function stateBefore(since: readonly Commit[]): ReadonlyMap<string, AnyObject | undefined> {
  const states = new Map<string, AnyObject | undefined>();
  for (const { namespace, name, before } of since) {
    const key = `${namespace}/${name}`;
    if (!states.has(key)) states.set(key, before);
  }
  return states;
}

/** Namespace and name of all that may be in the list, in order. */
function placesOf(table: ObjectTable, kind: KindName, namespace: string | undefined, past: ReadonlyMap<string, unknown> | undefined): Iterable<Place> {
  const places: Place[] = [];
  for (const room of namespace === undefined ? table.namespaces(kind) : [namespace]) {
    for (const name of table.names(kind, room)) places.push([room, name]);
  }
  if (past === undefined) return places;
  const present = new Set(places.map(([room, name]) => `${room}/${name}`));
  for (const key of past.keys()) {
    const slash = key.indexOf("/");
    const place: Place = [key.slice(0, slash), key.slice(slash + 1)];
    if (!present.has(key) && (namespace === undefined || place[0] === namespace)) places.push(place);
  }
  return places.sort((a, b) => compareCodeUnits(a[0], b[0]) || compareCodeUnits(a[1], b[1]));
}
