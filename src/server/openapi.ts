import { createHash } from "node:crypto";
import type { Hono } from "hono";
import { groupPath } from "../api/paths.ts";
import { StatusError } from "../api/status-error.ts";
import type { ApiResource } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { createOpenApiDocument } from "./openapi-document.ts";
import { encodeSwagger } from "./openapi-v2-protobuf.ts";
import { createSwagger } from "./openapi-v2.ts";
import { jsonResponse, unknownPath } from "./status-response.ts";

const root = "/openapi/v3";
/** A document asked for by its hash never changes. A year, as Kubernetes says. */
const foreverSeconds = 31_536_000;

/** What clients call a Swagger document in protobuf, in two spellings; answers have the second, as Kubernetes'. */
const swaggerProtobufTypes = ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"] as const;

interface Written {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Of the body, in hexadecimal; ETag and `hash` parameter. */
  readonly hash: string;
}

function written(body: Written["body"], type: string): Written {
  return { body, type, hash: createHash("sha256").update(body).digest("hex").toUpperCase() };
}

/**
 * OpenAPI v3: `/openapi/v3` names the documents with the hash of each, `/openapi/v3/<api/v1 or apis/group/version>` is one.
 * OpenAPI v2: `/openapi/v2` is all of them as one, for older clients. Written when first asked for, and kept.
 * Source: Kubernetes Enhancement Proposal 2896, and what kubectl asks.
 */
export function addOpenApi(app: Hono<AppEnv>, version: string, resources: readonly ApiResource[]): void {
  const groups = new Map<string, ApiResource[]>();
  for (const each of resources) groups.set(groupPath(each).slice(1), [...(groups.get(groupPath(each).slice(1)) ?? []), each]);
  const kept = new Map<string, Written>();
  const once = (key: string, make: () => Written): Written => {
    let found = kept.get(key);
    if (found === undefined) kept.set(key, (found = make()));
    return found;
  };
  const documentOf = (group: string): Written | undefined => {
    const members = groups.get(group);
    return members === undefined ? undefined : once(group, () => written(`${JSON.stringify(createOpenApiDocument(members, version))}\n`, "application/json"));
  };
  const urlOf = (group: string) => `${root}/${group}?hash=${documentOf(group)!.hash}`;

  app.get(root, (c) => {
    acceptedOf(c.req.header("accept"), ["application/json"]);
    return jsonResponse({ paths: Object.fromEntries([...groups.keys()].map((group) => [group, { serverRelativeURL: urlOf(group) }])) });
  });
  app.get(`${root}/*`, (c) => {
    acceptedOf(c.req.header("accept"), ["application/json"]);
    const group = c.req.path.slice(root.length + 1);
    const document = documentOf(group);
    if (document === undefined) throw unknownPath();
    const hash = c.req.query("hash");
    // An old hash leads to the document as it is now.
    if (hash !== undefined && hash !== "" && hash !== document.hash) return new Response(null, { status: 301, headers: { location: urlOf(group) } });
    return answer(document, c.req.header("if-none-match"), hash === document.hash);
  });
  app.get("/openapi/v2", (c) => {
    const type = acceptedOf(c.req.header("accept"), ["application/json", ...swaggerProtobufTypes]);
    const swagger = () => createSwagger([...groups.values()].map((members) => createOpenApiDocument(members, version)));
    const document = type === "application/json" ? once("v2 json", () => written(`${JSON.stringify(swagger())}\n`, type)) : once("v2 protobuf", () => written(encodeSwagger(swagger()), swaggerProtobufTypes[1]));
    return answer(document, c.req.header("if-none-match"), false);
  });
}

function answer({ body, type, hash }: Written, ifNoneMatch: string | undefined, forever: boolean): Response {
  const headers: Record<string, string> = { etag: `"${hash}"`, vary: "Accept", "content-type": type };
  if (forever) headers["cache-control"] = `public, max-age=${foreverSeconds}, immutable`;
  return matches(ifNoneMatch, hash) ? new Response(null, { status: 304, headers }) : new Response(body, { headers });
}

/** RFC 9110, If-None-Match: `*`, or a list of tags, each perhaps weak. */
function matches(header: string | undefined, hash: string): boolean {
  return (header ?? "").split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === `"${hash}"`);
}

/** The first of the client's media ranges that one of `types` is in, as that type. @throws StatusError NotAcceptable */
function acceptedOf(accept: string | undefined, types: readonly [string, ...string[]]): string {
  for (const range of (accept || "*/*").split(",").slice(0, 100)) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    if (parameters.includes("q=0")) continue;
    if (name === "*/*" || name === "application/*") return types[0];
    if (types.includes(name)) return name;
  }
  throw new StatusError("NotAcceptable", `only the following media types are accepted: ${types.join(", ")}`);
}
