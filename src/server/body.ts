import { parseDocument } from "yaml";
import { messageOf } from "../base/errors.ts";
import { StatusError } from "../api/status-error.ts";
import { refuseForeignKeys } from "../api/validate.ts";
import { decodeKubernetesProtobuf, protobufType } from "./protobuf/kubernetes-protobuf.ts";

/** As Kubernetes' API server. Also the bound on a YAML body after its aliases are written out. */
export const bodyBytesMax = 3 * 1024 * 1024;
/** YAML collections that may be open at once, before parsing: its parser recurses. */
const yamlDepthMax = 200;
/** Most times the anchors of a YAML body may be used. */
const yamlAliasesMax = 100;

export const jsonTypes: readonly string[] = ["application/json"];
export const yamlTypes: readonly string[] = ["application/yaml", "application/x-yaml", "text/yaml"];
/** Server-side apply's: YAML by its name, and JSON, which most clients send, is YAML. */
export const applyPatchType = "application/apply-patch+yaml";

/** Media type without parameters, lower case; "" when the header is absent. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/**
 * The body as a JSON value, from JSON, YAML or Kubernetes' protobuf. Its depth is bounded and its keys are harmless (`refuseForeignKeys`).
 * @param types media types taken; an absent header means the first
 * @returns undefined when the body is empty
 * @throws StatusError UnsupportedMediaType, RequestEntityTooLarge, BadRequest
 */
export async function readBody(request: Request, types: readonly string[]): Promise<unknown> {
  const type = mediaTypeOf(request) || types[0]!;
  if (!types.includes(type)) {
    throw new StatusError("UnsupportedMediaType", `the body of the request was in an unknown format: ${JSON.stringify(type.slice(0, 100))}; accepted media types: ${types.join(", ")}`);
  }
  const bytes = await readBytes(request);
  const text = type === protobufType ? "" : textOf(bytes);
  if (type === protobufType ? bytes.byteLength === 0 : text.trim() === "") return undefined;
  const value = type === protobufType ? decodeKubernetesProtobuf(bytes) : yamlTypes.includes(type) ? parseYaml(text) : type === applyPatchType ? parseJsonOrYaml(text) : parseJson(text);
  refuseForeignKeys(value, "");
  return value;
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > bodyBytesMax) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body.getReader();
  try {
    for (;;) {
      const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
      if (done || value === undefined) break;
      bytes += value.byteLength;
      if (bytes > bodyBytesMax) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw new StatusError("BadRequest", `Cannot read the request's body: ${messageOf(error)}`, {}, { cause: error });
  }
  return Buffer.concat(chunks, bytes);
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new StatusError("BadRequest", "Cannot read the request's body: it is not UTF-8", {}, { cause: error });
  }
}

function tooLarge(): StatusError {
  return new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${bodyBytesMax} bytes`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new StatusError("BadRequest", `Cannot read the request's body as JSON: ${messageOf(error)}`, {}, { cause: error });
  }
}

/** JSON first: it is read a hundred times faster. */
function parseJsonOrYaml(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return parseYaml(text);
  }
}

function parseYaml(text: string): unknown {
  refuseDeepYaml(text);
  let value: unknown;
  try {
    const document = parseDocument(text, { logLevel: "error", prettyErrors: false });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    value = document.toJS({ maxAliasCount: yamlAliasesMax });
  } catch (error) {
    throw new StatusError("BadRequest", `Cannot read the request's body as YAML: ${messageOf(error)}`, {}, { cause: error });
  }
  refuseLarge(value);
  return value;
}

/**
 * Deep flow collections are refused before the parser sees them, as it recurses and takes its time with them. (Nesting by
 * indentation needs a number of bytes that grows with the square of the depth, so that the body's bound is enough.)
 * Brackets in text are counted too: 200 of them never closed are no manifest.
 */
function refuseDeepYaml(text: string): void {
  let open = 0;
  let inline = 0;
  for (const [token] of text.matchAll(/[[\]{}\n]|[-?](?=[ \t])|[^\s[\]{}]/g)) {
    if (token === "[" || token === "{") open++;
    else if ((token === "]" || token === "}") && open > 0) open--;
    // "- - - x" nests too.
    inline = token === "-" || token === "?" ? inline + 1 : 0;
    if (open > yamlDepthMax || inline > yamlDepthMax) throw new StatusError("BadRequest", `Cannot read the request's body as YAML: it is nested deeper than ${yamlDepthMax} levels`);
  }
}

/** Aliases make a small text a large value. Counts characters with an early end. */
function refuseLarge(root: unknown): void {
  let left = bodyBytesMax;
  const stack = [root];
  while (stack.length > 0) {
    const value = stack.pop();
    left -= typeof value === "string" ? value.length + 2 : 2;
    if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) {
        left -= key.length;
        stack.push(each);
      }
    }
    if (left < 0) throw tooLarge();
  }
}
