import type { Hono } from "hono";
import { apiVersionOf } from "../api/kind.ts";
import { groupPath } from "../api/paths.ts";
import { groupDiscoveryOffer, negotiate } from "./accept.ts";
import type { ApiResource } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonResponse } from "./status-response.ts";

/** Version of Kubernetes whose API shape this follows; clients compare it with their own. */
const kubernetesVersion = { major: "1", minor: "32", patch: "0" };

/** What clients ask first: which groups, versions and kinds there are, classic and aggregated. Groups come in the order of `resources`. */
export function addDiscovery(app: Hono<AppEnv>, version: string, resources: readonly ApiResource[]): void {
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

  const versions = [...new Map(resources.map((each) => [groupPath(each), { group: each.group, version: each.version }])).values()];
  const resourcesOf = (of: GroupVersion) => resources.filter((each) => each.group === of.group && each.version === of.version);
  const named = [...new Set(versions.map((each) => each.group))].filter((group) => group !== "").map((group) => versions.filter((each) => each.group === group));

  app.get("/api", (c) => {
    const { as, version } = negotiate(c.req.header("accept") ?? null, [groupDiscoveryOffer]);
    if (as !== undefined) return aggregated([versions.filter((each) => each.group === "")], resourcesOf, version!);
    return jsonResponse({ kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  });
  app.get("/apis", (c) => {
    const { as, version } = negotiate(c.req.header("accept") ?? null, [groupDiscoveryOffer]);
    if (as !== undefined) return aggregated(named, resourcesOf, version!);
    return jsonResponse({ kind: "APIGroupList", apiVersion: "v1", groups: named.map(groupOf) });
  });
  for (const group of named) app.get(`/apis/${group[0]!.group}`, () => jsonResponse({ kind: "APIGroup", apiVersion: "v1", ...groupOf(group) }));
  for (const each of versions) {
    app.get(groupPath(each), () => jsonResponse({ kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf(each), resources: resourcesOf(each).flatMap(classic) }));
  }
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** The versions of one group; the first is the one that is preferred. */
function groupOf(versions: readonly GroupVersion[]) {
  const all = versions.map(({ group, version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: versions[0]!.group, versions: all, preferredVersion: all[0] };
}

const namesOf = ({ shortNames, categories }: ApiResource) => ({ ...(shortNames.length === 0 ? {} : { shortNames }), ...(categories.length === 0 ? {} : { categories }) });

/** metav1.APIResource entries of a resource and of what is below it. */
function classic(resource: ApiResource): readonly object[] {
  const namespaced = resource.scope === "Namespaced";
  const main = { name: resource.plural, singularName: resource.singular, namespaced, kind: resource.kind, verbs: resource.verbs, ...namesOf(resource) };
  return [main, ...resource.subresources.map(({ name, responseKind: { group, version, kind }, verbs }) => {
    const foreign = group === resource.group && version === resource.version ? {} : { group, version };
    return { name: `${resource.plural}/${name}`, singularName: "", namespaced, ...foreign, kind, verbs };
  })];
}

/** apidiscovery.k8s.io APIGroupDiscoveryList. */
function aggregated(groups: readonly (readonly GroupVersion[])[], resourcesOf: (of: GroupVersion) => readonly ApiResource[], version: string): Response {
  const items = groups.filter((group) => group.length > 0).map((group) => ({
    metadata: { name: group[0]!.group, creationTimestamp: null },
    versions: group.map((each) => ({
      version: each.version,
      freshness: "Current",
      resources: resourcesOf(each).map((resource) => ({
        resource: resource.plural,
        responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
        scope: resource.scope,
        singularResource: resource.singular,
        verbs: resource.verbs,
        ...namesOf(resource),
        ...(resource.subresources.length === 0 ? {} : { subresources: resource.subresources.map(({ name, responseKind, verbs }) => ({ subresource: name, responseKind, verbs })) }),
      })),
    })),
  }));
  return jsonResponse({ kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }, 200, {
    "content-type": `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
  });
}
