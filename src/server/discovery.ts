import type { Hono } from "hono";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import { groupPath } from "../api/paths.ts";
import { kindNames, kinds } from "../api/registry.ts";
import { groupDiscoveryOffer, negotiate } from "./accept.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonResponse } from "./status-response.ts";

/** Version of Kubernetes whose API shape this follows; clients compare it with their own. */
const kubernetesVersion = { major: "1", minor: "32", patch: "0" };

/** What clients ask first: which groups, versions and kinds there are, classic and aggregated. */
export function addDiscovery(app: Hono<AppEnv>, version: string): void {
  const { major, minor, patch } = kubernetesVersion;
  const versionInfo = {
    major,
    minor,
    gitVersion: `v${major}.${minor}.${patch}+vendetta-${version}`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "",
    goVersion: "",
    compiler: `node ${process.versions.node}`,
    platform: `${process.platform}/${process.arch}`,
  };
  app.get("/version", () => jsonResponse(versionInfo));

  const all = kindNames.map((name): KindDefinition<never> => kinds[name]);
  const versions = [...new Map(all.map((kind) => [groupPath(kind), { group: kind.group, version: kind.version }])).values()];
  const kindsOf = (of: { group: string; version: string }) => all.filter((kind) => kind.group === of.group && kind.version === of.version);
  const named = versions.filter((each) => each.group !== "");

  app.get("/api", (c) => {
    const { as, version } = negotiate(c.req.header("accept") ?? null, [groupDiscoveryOffer]);
    if (as !== undefined) return aggregated(versions.filter((each) => each.group === ""), kindsOf, version!);
    return jsonResponse({ kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  });
  app.get("/apis", (c) => {
    const { as, version } = negotiate(c.req.header("accept") ?? null, [groupDiscoveryOffer]);
    if (as !== undefined) return aggregated(named, kindsOf, version!);
    return jsonResponse({ kind: "APIGroupList", apiVersion: "v1", groups: named.map((each) => groupOf(each)) });
  });
  for (const each of versions) {
    if (each.group !== "") app.get(`/apis/${each.group}`, () => jsonResponse({ kind: "APIGroup", apiVersion: "v1", ...groupOf(each) }));
    app.get(groupPath(each), () => jsonResponse({ kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf(each), resources: kindsOf(each).flatMap(resourcesOf) }));
  }
}

const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
const statusVerbs = ["get", "patch", "update"];

function groupOf({ group, version }: { readonly group: string; readonly version: string }) {
  const groupVersion = { groupVersion: `${group}/${version}`, version };
  return { name: group, versions: [groupVersion], preferredVersion: groupVersion };
}

/** metav1.APIResource entries of a kind and its status. */
function resourcesOf(kind: KindDefinition<never>): readonly object[] {
  const namespaced = kind.scope === "Namespaced";
  const main = {
    name: kind.plural,
    singularName: kind.singular,
    namespaced,
    kind: kind.kind,
    verbs,
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
  };
  return kind.statusSchema === undefined ? [main] : [main, { name: `${kind.plural}/status`, singularName: "", namespaced, kind: kind.kind, verbs: statusVerbs }];
}

/** apidiscovery.k8s.io APIGroupDiscoveryList. */
function aggregated(of: readonly { readonly group: string; readonly version: string }[], kindsOf: (of: { group: string; version: string }) => readonly KindDefinition<never>[], version: string): Response {
  const items = of.map((each) => ({
    metadata: { name: each.group, creationTimestamp: null },
    versions: [{
      version: each.version,
      freshness: "Current",
      resources: kindsOf(each).map((kind) => ({
        resource: kind.plural,
        responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
        scope: kind.scope,
        singularResource: kind.singular,
        verbs,
        ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
        ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
        ...(kind.statusSchema === undefined ? {} : { subresources: [{ subresource: "status", responseKind: { group: kind.group, version: kind.version, kind: kind.kind }, verbs: statusVerbs }] }),
      })),
    }],
  }));
  return jsonResponse({ kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }, 200, {
    "content-type": `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
  });
}
