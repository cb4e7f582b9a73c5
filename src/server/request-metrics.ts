import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { groupPath, kindPaths } from "../api/paths.ts";
import type { KindName } from "../api/registry.ts";
import type { ApiResource, Verb } from "./api-resource.ts";

/** Upper bounds of the time an answer takes, in seconds: from a read in memory to the longest that is waited for. */
const bucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What of a request is counted by. All values come from the list of resources and a few words, so that no client can make more of them. */
export interface RequestLabels {
  /** A verb of the API, or of what is no resource the HTTP method in lower case. */
  readonly verb: Verb | "head" | "post" | "put" | "options" | "other";
  /** "" for core, and for what is no resource. */
  readonly group: string;
  /** "" for what is no resource. */
  readonly resource: string;
  readonly subresource: string;
}

export interface RequestMetrics {
  /** @param tookMs until the answer was begun, in milliseconds */
  answered(request: Request, code: number, tookMs: number): void;
  watching(this: void, kind: KindName): () => void;
}

export function createRequestMetrics(registry: Registry, resources: readonly ApiResource[]): RequestMetrics {
  const registers = [registry];
  const labelNames = ["verb", "group", "resource", "subresource"] as const;
  const total = new Counter({ name: "vendetta_api_requests_total", help: "Requests answered, by verb, resource and HTTP code.", labelNames: [...labelNames, "code"], registers });
  const duration = new Histogram({ name: "vendetta_api_request_duration_seconds", help: "Time until an answer was begun, in seconds. Watches are not in it.", labelNames, buckets: bucketsSeconds, registers });
  const watchers = new Gauge({ name: "vendetta_api_watchers", help: "Watches that are open.", labelNames: ["group", "resource"], registers });
  const labelsOf = requestLabels(resources);
  // Finding a labelled child costs more than counting in it.
  const children = new Map<string, { readonly total: Counter.Internal; readonly duration: Histogram.Internal<(typeof labelNames)[number]> }>();
  return {
    answered(request, code, tookMs) {
      const labels = labelsOf(request.method, request.url);
      const key = `${labels.verb} ${labels.group} ${labels.resource} ${labels.subresource} ${code}`;
      let child = children.get(key);
      if (child === undefined) children.set(key, (child = { total: total.labels({ ...labels, code }), duration: duration.labels({ ...labels }) }));
      child.total.inc();
      if (labels.verb !== "watch") child.duration.observe(tookMs / 1000);
    },
    watching(kind) {
      const { group, plural } = kindPaths[kind];
      const open = watchers.labels({ group, resource: plural });
      open.inc();
      return () => open.dec();
    },
  };
}

const methods: Readonly<Record<string, RequestLabels["verb"]>> = { GET: "get", HEAD: "head", POST: "post", PUT: "put", PATCH: "patch", DELETE: "delete", OPTIONS: "options" };
const writes: Readonly<Record<string, Verb>> = { POST: "create", PUT: "update", PATCH: "patch" };

/** Reads verb and resource from a request. Source: k8s.io/apiserver RequestInfo. */
export function requestLabels(resources: readonly ApiResource[]): (method: string, url: string) => RequestLabels {
  const known = new Map(resources.map((each) => [`${groupPath(each)}/${each.plural}`, each]));
  return (method, url) => {
    // By hand: a URL object would cost more than all the counting.
    const [address = "", query = ""] = url.split("?", 2);
    const parts = address.slice(address.indexOf("/", address.indexOf("://") + 3)).split("/");
    const rootLength = parts[1] === "api" ? 3 : 4;
    const root = parts.slice(0, rootLength).join("/");
    const rest = parts.slice(rootLength);
    // `namespaces/x/workspaces/y` is of workspaces; `namespaces/x` and `namespaces/x/status` are of the Namespace itself.
    const roomed = rest[0] === "namespaces" && rest[2] !== undefined && known.has(`${root}/${rest[2]}`) ? rest.slice(2) : rest;
    const [plural = "", name, below] = roomed;
    const resource = known.get(`${root}/${plural}`);
    if (resource === undefined) return { verb: methods[method] ?? "other", group: "", resource: "", subresource: "" };
    const subresource = below !== undefined && resource.subresources.some((each) => each.name === below) ? below : "";
    return { verb: verbOf(method, name !== undefined && name !== "", query), group: resource.group, resource: plural, subresource };
  };
}

function verbOf(method: string, named: boolean, query: string): RequestLabels["verb"] {
  if (method === "DELETE") return named ? "delete" : "deletecollection";
  if (method !== "GET" && method !== "HEAD") return writes[method] ?? methods[method] ?? "other";
  if (named) return "get";
  return query.includes("watch") && ["", "true", "1"].includes(new URLSearchParams(query).get("watch") ?? "false") ? "watch" : "list";
}
