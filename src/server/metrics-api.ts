import type { Context, Hono } from "hono";
import { timestamp } from "../base/clock.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds } from "../api/registry.ts";
import { podKind } from "../api/pod-kind.ts";
import { StatusError } from "../api/status-error.ts";
import type { KindDefinition } from "../api/kind.ts";
import type { Store } from "../store/store.ts";
import type { ApiResource } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { Query } from "./query.ts";
import { jsonResponse, methodNotAllowed, unknownPath } from "./status-response.ts";
import type { Usage, UsageSource } from "./usage.ts";

const group = "metrics.k8s.io";
const version = "v1beta1";
const root = `/apis/${group}/${version}`;

const resource = (plural: string, kind: string, scope: ApiResource["scope"]): ApiResource => ({ group, version, kind, plural, singular: "", scope, verbs: ["get", "list"], shortNames: [], categories: [], subresources: [] });

/** For discovery: after the kinds whose plurals they share, so that `get pods` and `get nodes` mean those. */
export const usageResources: readonly ApiResource[] = [resource("nodes", "NodeMetrics", "Cluster"), resource("pods", "PodMetrics", "Namespaced")];

/**
 * `metrics.k8s.io/v1beta1`, for `kubectl top`. Measured when asked; what does not run or does not answer is left out, as by
 * metrics-server. An engine counts an instance as a whole, so it is all told of the container that is the Workspace's shell.
 *
 * `kubectl top nodes` also asks core/v1 for what the nodes have. That much of core/v1 Nodes is answered and told of nowhere,
 * so that `nodes` goes on to mean vendetta's.
 */
export function addUsage(app: Hono<AppEnv>, { store, usage }: { readonly store: Store; readonly usage: UsageSource | undefined }): void {
  const source = (): UsageSource => {
    if (usage === undefined) throw unknownPath();
    return usage;
  };
  const podMetrics = async (pod: StoredObject & { readonly spec: { readonly containers: readonly { readonly name: string }[] } }): Promise<object | undefined> => {
    const used = await source().ofWorkspace(pod.metadata);
    return used === undefined ? undefined : { ...head("PodMetrics", pod, used), containers: [{ name: pod.spec.containers.at(-1)!.name, usage: amounts(used) }] };
  };
  const nodeMetrics = async (node: StoredObject): Promise<object | undefined> => {
    const used = await source().ofNode(node.metadata.name);
    return used === undefined ? undefined : { ...head("NodeMetrics", node, used), usage: amounts(used) };
  };

  const pods = async (c: Context<AppEnv>) => {
    const { items } = await store.list("Pod", new Query(c.req.url).selection(podKind as unknown as KindDefinition<never>, c.req.param("namespace")));
    return listOf("PodMetricsList", await Promise.all(items.map(podMetrics)));
  };
  app.get(`${root}/pods`, pods);
  app.get(`${root}/namespaces/:namespace/pods`, pods);
  app.get(`${root}/namespaces/:namespace/pods/:name`, async (c) => {
    const ref = { namespace: c.req.param("namespace"), name: c.req.param("name") };
    const found = await podMetrics(await store.get("Pod", ref));
    if (found === undefined) throw missing("podmetrics", `${ref.namespace}/${ref.name}`);
    return jsonResponse(found);
  });
  app.get(`${root}/nodes`, async (c) => {
    const { items } = await store.list("Node", new Query(c.req.url).selection(kinds.Node as unknown as KindDefinition<never>, undefined));
    return listOf("NodeMetricsList", await Promise.all(items.map(nodeMetrics)));
  });
  app.get(`${root}/nodes/:name`, async (c) => {
    const found = await nodeMetrics(await store.get("Node", { name: c.req.param("name") }));
    if (found === undefined) throw missing("nodemetrics", c.req.param("name"));
    return jsonResponse(found);
  });
  for (const path of ["pods", "namespaces/:namespace/pods", "namespaces/:namespace/pods/:name", "nodes", "nodes/:name"]) {
    app.all(`${root}/${path}`, (c) => {
      throw methodNotAllowed(c.req.method);
    });
  }

  app.get("/api/v1/nodes", async (c) => {
    const { items, resourceVersion } = await store.list("Node", new Query(c.req.url).selection(kinds.Node as unknown as KindDefinition<never>, undefined));
    return jsonResponse({ kind: "NodeList", apiVersion: "v1", metadata: { resourceVersion }, items: items.map(coreNode) });
  });
  app.get("/api/v1/nodes/:name", async (c) => jsonResponse(coreNode(await store.get("Node", { name: c.req.param("name") }))));
}

/** As much of a core/v1 Node as says what it has. */
function coreNode({ metadata, status }: Awaited<ReturnType<Store["get"]>> & { readonly status?: unknown }): object {
  const { capacity = {}, conditions = [] } = (status ?? {}) as { readonly capacity?: { readonly cpu?: string; readonly memory?: string }; readonly conditions?: readonly object[] };
  const { cpu = "0", memory = "0" } = capacity;
  return { kind: "Node", apiVersion: "v1", metadata, status: { capacity: { cpu, memory }, allocatable: { cpu, memory }, conditions } };
}

function head(kind: string, { metadata: { name, namespace, labels } }: StoredObject, { atMs, windowMs }: Usage): object {
  const at = timestamp(atMs);
  return {
    kind, apiVersion: `${group}/${version}`,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }), creationTimestamp: at },
    timestamp: at, window: `${(windowMs / 1000).toFixed(3)}s`,
  };
}

/** Quantities as metrics-server writes them: billionths of a core, and KiB. */
function amounts({ cores, memoryBytes }: Usage): { readonly cpu: string; readonly memory: string } {
  return { cpu: `${Math.round(cores * 1e9)}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
}

function listOf(kind: string, items: readonly (object | undefined)[]): Response {
  return jsonResponse({ kind, apiVersion: `${group}/${version}`, metadata: {}, items: items.filter((each) => each !== undefined) });
}

function missing(plural: string, name: string): StatusError {
  return new StatusError("NotFound", `${plural}.${group} "${name}" not found`, { kind: plural, group, name });
}
