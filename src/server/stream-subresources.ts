import type { ApiResource, ApiSubresource, Verb } from "./api-resource.ts";

/** What is asked of the objects of our own group, by resource: streams, as a pod's `exec` and `log` in Kubernetes, and what is worked out. */
const streams: Readonly<Record<string, Readonly<Record<string, readonly Verb[]>>>> = {
  workspaces: { console: ["get"], exec: ["create", "get"] },
  services: { exec: ["create", "get"], log: ["get"] },
  sources: { plan: ["get"] },
};

/** The resource with those told of: what `vendetta exec`, `logs` and `source diff` use is no private path. */
export function withStreams(resource: ApiResource): ApiResource {
  if (resource.group !== "vendetta.dev") return resource;
  const { group, version, kind } = resource;
  const added = Object.entries(streams[resource.plural] ?? {}).map(([name, verbs]): ApiSubresource => ({ name, responseKind: { group, version, kind }, verbs }));
  return { ...resource, subresources: [...resource.subresources, ...added] };
}
