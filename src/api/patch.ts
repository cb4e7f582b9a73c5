import jsonPatch, { type Operation } from "fast-json-patch";
import { isFields, valueAt } from "../base/fields.ts";
import { StatusError, type StatusCause } from "./status-error.ts";

/** Bound on the operations of one JSON patch, as in the Kubernetes API server. */
export const patchOperationsMax = 10_000;
/** Bound on the depth of a patch or of what a patch makes: deeper is an attack on the stack, not a manifest. */
const depthMax = 100;
/** Bound on the bytes all `copy` operations of one patch may make together: a doubling patch would fill the memory otherwise. */
const copyBytesMax = 3_000_000;

const operations = ["add", "remove", "replace", "move", "copy", "test"];

function isForeign(key: string): boolean {
  return key === "__proto__" || key === "constructor" || key === "prototype";
}

function refuseForeign(key: string, where: string): void {
  if (isForeign(key)) throw new StatusError("BadRequest", `Cannot apply the patch: the field name "${key}" in ${where} is not allowed`, { causes: [{ field: where, message: "is not allowed as a field name", reason: "FieldValueForbidden" }] });
}

/** Looks into a value that a patch carries. */
function refuseForeignIn(value: unknown, where: string, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > depthMax) throw new StatusError("BadRequest", `Cannot apply the patch: ${where} is nested deeper than ${depthMax} levels`);
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) refuseForeign(key, where);
    refuseForeignIn(inner, Array.isArray(value) ? `${where}[${key}]` : `${where}.${key}`, depth + 1);
  }
}

/**
 * The target with the patch merged in: null removes a field, an object is merged, anything else replaces. The target is
 * not changed; parts the patch does not name are shared with it.
 * Source: RFC 7386.
 * @throws StatusError BadRequest for `__proto__`, `constructor`, `prototype` as a field name, or too deep a patch
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  refuseForeignIn(patch, "patch");
  return merge(target, patch);
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

/**
 * A copy of the target with the operations applied in order; all of them or none.
 * Source: RFC 6902.
 * @throws StatusError Invalid when a `test` fails or a path does not exist; BadRequest when it is no JSON patch, has too
 * many operations or names `__proto__`, `constructor` or `prototype`
 */
export function applyJsonPatch(target: unknown, patch: readonly unknown[]): unknown {
  const checked = checkedOperations(patch);
  let document: unknown = structuredClone(target);
  let copiedBytes = 0;
  checked.forEach((operation, i) => {
    if (operation.op === "copy") {
      copiedBytes += JSON.stringify(valueAt(document, partsOf(operation.from)))?.length ?? 0;
      if (copiedBytes > copyBytesMax) throw new StatusError("RequestEntityTooLarge", `Cannot apply the patch: its copy operations make more than ${copyBytesMax} bytes`);
    }
    try {
      document = jsonPatch.applyOperation(document, operation, true, true, true, i).newDocument;
    } catch (error) {
      throw refused(operation, i, document, error);
    }
  });
  return document;
}

function checkedOperations(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch)) throw new StatusError("BadRequest", "Cannot apply the patch: a JSON patch is a list of operations");
  if (patch.length > patchOperationsMax) throw new StatusError("RequestEntityTooLarge", `Cannot apply the patch: it has ${patch.length} operations; the most is ${patchOperationsMax}`);
  return patch.map((raw: unknown, i) => {
    const refuse = (why: string) => new StatusError("BadRequest", `Cannot apply the patch: operation ${i} ${why}`);
    if (!isFields(raw)) throw refuse("is not an object");
    const { op, path, from } = raw;
    if (typeof op !== "string" || !operations.includes(op)) throw refuse(`has op ${JSON.stringify(op)}; it must be one of ${operations.join(", ")}`);
    for (const [name, pointer] of [["path", path], ["from", op === "move" || op === "copy" ? from : ""]] as const) {
      if (typeof pointer !== "string") throw refuse(`(${op}) has no ${name}`);
      if (pointer !== "" && !pointer.startsWith("/")) throw refuse(`(${op}) has ${name} ${JSON.stringify(pointer)}; it must start with '/'`);
      for (const part of partsOf(pointer)) refuseForeign(part, `${name} of operation ${i}`);
    }
    if (op === "move" && typeof path === "string" && path.startsWith(`${String(from)}/`)) throw refuse(`(move) moves ${String(from)} into itself`);
    if ((op === "add" || op === "replace" || op === "test") && raw["value"] === undefined) throw refuse(`(${op}) has no value`);
    refuseForeignIn(raw["value"], `value of operation ${i}`);
    // The library keeps `value` by reference in the document: a copy keeps the caller's patch out of it.
    return structuredClone(raw) as unknown as Operation;
  });
}

function partsOf(pointer: string): string[] {
  return pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Our words for what the library found. */
function refused(operation: Operation, index: number, document: unknown, error: unknown): StatusError {
  const name = (error as { name?: unknown }).name;
  const failedTest = name === "TEST_OPERATION_FAILED";
  const why = failedTest
    ? `found ${shortened(valueAt(document, partsOf(operation.path)))}, expected ${shortened((operation as { value?: unknown }).value)}`
    : name === "OPERATION_FROM_UNRESOLVABLE"
      ? `there is nothing at ${(operation as { from?: string }).from ?? ""}`
      : name === "OPERATION_VALUE_OUT_OF_BOUNDS" || name === "OPERATION_PATH_ILLEGAL_ARRAY_INDEX"
        ? "the list has no such place"
        : operation.op === "add" || operation.op === "move" || operation.op === "copy"
          ? "what it should be put into does not exist"
          : "there is nothing at that path";
  const causes: StatusCause[] = [{ field: `patch[${index}]`, message: why, reason: "FieldValueInvalid" }];
  return new StatusError("Invalid", `Cannot apply the patch: operation ${index} (${operation.op} ${operation.path || "the whole object"}): ${why}`, { causes }, { cause: error });
}

function shortened(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
