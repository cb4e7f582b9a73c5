import type { Hono } from "hono";
import { kindPaths, groupPath } from "../api/paths.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonResponse } from "./status-response.ts";

/**
 * `kubectl cluster-info` asks for the core/v1 Services that a cluster runs for itself, by Kubernetes' own label. As
 * "services" means ours here, it comes to our path and then reads nothing but a core/v1 ServiceList. It is told what is
 * so: there are none. Any other selector, and any other namespace, is about ours.
 */
export function addClusterServices(app: Hono<AppEnv>): void {
  app.get(`${groupPath(kindPaths.Service)}/namespaces/kube-system/${kindPaths.Service.plural}`, async (c, next) => {
    if (c.req.query("labelSelector") !== "kubernetes.io/cluster-service=true" || c.req.query("watch") !== undefined) return await next();
    return jsonResponse({ kind: "ServiceList", apiVersion: "v1", metadata: { resourceVersion: "" }, items: [] });
  });
}
