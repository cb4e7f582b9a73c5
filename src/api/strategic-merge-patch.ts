import { isFields, type Fields } from "../base/fields.ts";
import { isBuiltin } from "./kind.ts";
import { StatusError } from "./status-error.ts";
import { refuseForeignKeys } from "./validate.ts";

/** How a list is patched: its entries are objects that a field of theirs tells apart, or plain values of which each is there once. Absent: it is replaced. */
export type ListPatchStrategy = { readonly mergeKey: string } | "set";

/** Strategies by the list's path from the object's root: `metadata.ownerReferences`. */
export type PatchStrategies = Readonly<Record<string, ListPatchStrategy>>;

/** What Kubernetes' types say by their tags `patchStrategy` and `patchMergeKey`, for the kinds it shares with us. */
const builtinStrategies: PatchStrategies = {
  "metadata.finalizers": "set",
  "metadata.ownerReferences": { mergeKey: "uid" },
  "status.conditions": { mergeKey: "type" },
};

/** Undefined for our own kinds: as of custom resources, clients know nothing of their lists but what a merge patch says. */
export function patchStrategiesOf(kind: { readonly group: string }): PatchStrategies | undefined {
  return isBuiltin(kind) ? builtinStrategies : undefined;
}


const directive = "$patch";
const retainKeys = "$retainKeys";
const deletePrefix = "$deleteFromPrimitiveList/";
const orderPrefix = "$setElementOrder/";

/**
 * The target with a strategic merge patch merged in: as a merge patch (RFC 7386), but that lists with a strategy are merged, and
 * that directives say what a merge cannot. Neither of the two is changed; parts that the patch does not name are shared.
 *
 * - `$patch: replace | merge | delete` in an object replaces it, merges it (the default) or empties it; in an entry of a keyed list, `delete`
 *   removes the entry of that key, and an entry of `replace` alone makes the list be the patch's other entries.
 * - `$deleteFromPrimitiveList/LIST` removes values, `$setElementOrder/LIST` orders entries, `$retainKeys` removes all fields but those.
 *
 * Source: Kubernetes, "Strategic merge patch" (sig-api-machinery), and k8s.io/apimachinery/pkg/util/strategicpatch.
 * @throws StatusError BadRequest when a directive or an entry of a keyed list cannot be read
 */
export function strategicMergePatch(target: unknown, patch: unknown, strategies: PatchStrategies): unknown {
  if (!isFields(patch)) throw refused("", "expected an object");
  refuseForeignKeys(patch, "");
  return mergeFields(isFields(target) ? target : {}, patch, "", strategies);
}

function refused(path: string, why: string): StatusError {
  return new StatusError("BadRequest", `Cannot apply the strategic merge patch: ${path === "" ? "" : `${path}: `}${why}`);
}

function mergeFields(target: Fields, patch: Fields, path: string, strategies: PatchStrategies): Fields {
  const { [directive]: how, [retainKeys]: retained, ...rest } = patch;
  if (how !== undefined) {
    if (how === "replace") return mergeFields({}, rest, path, strategies);
    if (how === "delete") return {};
    if (how !== "merge") throw refused(path, `${directive} is ${JSON.stringify(how)}; it must be replace, merge or delete`);
  }
  const result: Record<string, unknown> = retained === undefined ? { ...target } : retainedOf(target, rest, retained, path);
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith(orderPrefix) || name.startsWith(deletePrefix)) continue;
    const old = Object.hasOwn(result, name) ? result[name] : undefined;
    if (value === null) delete result[name];
    else if (isFields(value)) result[name] = mergeFields(isFields(old) ? old : {}, value, at(name), strategies);
    else if (Array.isArray(value)) result[name] = mergedList(old, value, at(name), strategies);
    else result[name] = value;
  }
  // Values go and entries are ordered in what the merge has made.
  for (const [name, value] of Object.entries(rest)) {
    if (!name.startsWith(deletePrefix)) continue;
    const list = name.slice(deletePrefix.length);
    const gone = listOf(value, at(name));
    const old = result[list];
    if (Array.isArray(old)) result[list] = old.filter((each) => !gone.includes(each));
  }
  for (const [name, value] of Object.entries(rest)) {
    if (!name.startsWith(orderPrefix)) continue;
    const list = name.slice(orderPrefix.length);
    const before = Object.hasOwn(target, list) ? target[list] : undefined;
    const now = result[list];
    const strategy = strategies[at(list)];
    if (strategy !== undefined && Array.isArray(now)) result[list] = ordered(now, listOf(value, at(name)), Array.isArray(before) ? before : [], identityOf(strategy));
  }
  return result;
}

function retainedOf(target: Fields, patch: Fields, retained: unknown, path: string): Record<string, unknown> {
  const names = listOf(retained, `${path}.${retainKeys}`);
  const stray = Object.keys(patch).find((name) => !name.startsWith("$") && !names.includes(name));
  if (stray !== undefined) throw refused(path, `the field ${JSON.stringify(stray)} is not among ${retainKeys}`);
  return Object.fromEntries(Object.entries(target).filter(([name]) => names.includes(name)));
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw refused(path, "expected a list");
  return value;
}

function mergedList(old: unknown, patch: readonly unknown[], path: string, strategies: PatchStrategies): readonly unknown[] {
  const strategy = strategies[path];
  if (strategy === undefined) return patch;
  const target: readonly unknown[] = Array.isArray(old) ? old : [];
  const identity = identityOf(strategy);
  if (strategy === "set") return ordered([...new Set([...target, ...patch])], patch, target, identity);

  const { mergeKey } = strategy;
  let merged = [...target];
  const entries: Fields[] = [];
  let replace = false;
  for (const [i, entry] of patch.entries()) {
    const where = `${path}[${i}]`;
    if (!isFields(entry)) throw refused(where, "expected an object");
    const { [directive]: how, ...rest } = entry;
    if (how === "replace") {
      // The entry that says so is none itself.
      replace = true;
      continue;
    }
    if (how !== undefined && how !== "merge" && how !== "delete") throw refused(where, `${directive} is ${JSON.stringify(how)}; it must be replace, merge or delete`);
    if (rest[mergeKey] === undefined || rest[mergeKey] === null) throw refused(where, `has no ${mergeKey}, which tells the entries apart`);
    if (how === "delete") merged = merged.filter((each) => identity(each) !== rest[mergeKey]);
    else entries.push(rest);
  }
  if (replace) return entries.map((entry) => mergeFields({}, entry, path, strategies));
  for (const entry of entries) {
    const at = merged.findIndex((each) => identity(each) === entry[mergeKey]);
    if (at < 0) merged.push(mergeFields({}, entry, path, strategies));
    else merged[at] = mergeFields(merged[at] as Fields, entry, path, strategies);
  }
  return ordered(merged, entries, target, identity);
}

type Identity = (entry: unknown) => unknown;

function identityOf(strategy: ListPatchStrategy): Identity {
  return strategy === "set" ? (entry) => entry : (entry) => (isFields(entry) ? entry[strategy.mergeKey] : undefined);
}

/**
 * The entries in the order the patch names them; those it does not name stay in the order they had among themselves, and before an
 * entry that they were before.
 */
function ordered(entries: readonly unknown[], named: readonly unknown[], before: readonly unknown[], identity: Identity): readonly unknown[] {
  const places = (list: readonly unknown[]) => new Map(list.map((each, i) => [identity(each), i]));
  const wanted = places(named);
  const had = places(before);
  const left = entries.filter((each) => !wanted.has(identity(each))).sort((a, b) => (had.get(identity(a)) ?? 0) - (had.get(identity(b)) ?? 0));
  const right = entries.filter((each) => wanted.has(identity(each))).sort((a, b) => wanted.get(identity(a))! - wanted.get(identity(b))!);
  const result: unknown[] = [];
  let i = 0;
  for (const each of right) {
    const place = had.get(identity(each));
    while (i < left.length && place !== undefined && had.get(identity(left[i]))! < place) result.push(left[i++]);
    result.push(each);
  }
  return [...result, ...left.slice(i)];
}
