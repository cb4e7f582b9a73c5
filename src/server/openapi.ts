import { createHash } from "node:crypto";
import type { Hono } from "hono";
import { groupPath } from "../api/paths.ts";
import { StatusError } from "../api/status-error.ts";
import type { ApiResource } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { createOpenApiDocument } from "./openapi-document.ts";
import { jsonResponse, unknownPath } from "./status-response.ts";

const root = "/openapi/v3";
/** A document asked for by its hash never changes. A year, as Kubernetes says. */
const foreverSeconds = 31_536_000;

interface Written {
  readonly text: string;
  /** Of the text, in hexadecimal; ETag and `hash` parameter. */
  readonly hash: string;
}

/**
 * OpenAPI v3: `/openapi/v3` names the documents with the hash of each, `/openapi/v3/<api/v1 or apis/group/version>` is one.
 * Written when first asked for, and kept.
 * Source: Kubernetes Enhancement Proposal 2896, and what kubectl asks.
 */
export function addOpenApi(app: Hono<AppEnv>, version: string, resources: readonly ApiResource[]): void {
  const groups = new Map<string, ApiResource[]>();
  for (const each of resources) groups.set(groupPath(each).slice(1), [...(groups.get(groupPath(each).slice(1)) ?? []), each]);
  const written = new Map<string, Written>();
  const documentOf = (group: string): Written | undefined => {
    const members = groups.get(group);
    if (members === undefined) return undefined;
    let document = written.get(group);
    if (document === undefined) {
      const text = `${JSON.stringify(createOpenApiDocument(members, version))}\n`;
      written.set(group, (document = { text, hash: createHash("sha256").update(text).digest("hex").toUpperCase() }));
    }
    return document;
  };
  const urlOf = (group: string) => `${root}/${group}?hash=${documentOf(group)!.hash}`;

  app.get(root, (c) => {
    refuseOthers(c.req.header("accept"));
    return jsonResponse({ paths: Object.fromEntries([...groups.keys()].map((group) => [group, { serverRelativeURL: urlOf(group) }])) });
  });
  app.get(`${root}/*`, (c) => {
    refuseOthers(c.req.header("accept"));
    const group = c.req.path.slice(root.length + 1);
    const document = documentOf(group);
    if (document === undefined) throw unknownPath();
    const hash = c.req.query("hash");
    // An old hash leads to the document as it is now.
    if (hash !== undefined && hash !== "" && hash !== document.hash) return new Response(null, { status: 301, headers: { location: urlOf(group) } });
    const headers: Record<string, string> = { etag: `"${document.hash}"`, vary: "Accept", "content-type": "application/json" };
    if (hash === document.hash) headers["cache-control"] = `public, max-age=${foreverSeconds}, immutable`;
    if (matches(c.req.header("if-none-match"), document.hash)) return new Response(null, { status: 304, headers });
    return new Response(document.text, { headers });
  });
}

/** RFC 9110, If-None-Match: `*`, or a list of tags, each perhaps weak. */
function matches(header: string | undefined, hash: string): boolean {
  return (header ?? "").split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === `"${hash}"`);
}

/** JSON only: clients that know OpenAPI v3 take it. @throws StatusError NotAcceptable */
function refuseOthers(accept: string | undefined): void {
  const ranges = (accept || "*/*").split(",").map((range) => range.split(";").map((part) => part.trim().toLowerCase()));
  const taken = ranges.some(([type = "", ...parameters]) => ["application/json", "application/*", "*/*"].includes(type) && !parameters.includes("q=0"));
  if (!taken) throw new StatusError("NotAcceptable", "only the following media types are accepted: application/json");
}
