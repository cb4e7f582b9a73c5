import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { crossingsOf, runEnvironment } from "../../controllers/service/environment.ts";

type Place = readonly [provider: "docker" | "host", nodeName: "here" | "far" | "farther"];

/** What a service in one place is told of a peer in another: the URL, if it has one. */
function told(from: Place, peer: Place): string | undefined {
  const workspace = (name: string, [provider, nodeName]: Place) => ({ metadata: { name, namespace: "default" }, spec: { provider }, status: { nodeName, address: provider === "host" ? "127.0.0.1" : "172.17.0.9", ports: [{ port: 80, nodePort: 20001, via: "Forward" }] } }) as unknown as Workspace;
  const service = (name: string, more: object) => ({ metadata: { name, namespace: "default", uid: name }, spec: { workspace: `ws-${name}`, command: ["x"], env: {}, ports: [], dependsOn: [], ...more } }) as unknown as Service;
  const all = { "ws-a": workspace("ws-a", from), "ws-b": workspace("ws-b", peer) } as Record<string, Workspace>;
  const services = { b: service("b", { port: 80 }), a: service("a", { dependsOn: [{ name: "b" }] }) } as Record<string, Service>;
  const lister = <T>(get: (name: string) => T | undefined) => ({ get: ({ name }: { readonly name: string }) => get(name), byIndex: () => [] }) as never;
  const parts = {
    nodes: lister((name) => ({ spec: name === "here" ? { local: {} } : { ssh: {} } }) as unknown as Node),
    workspaces: lister((name) => all[name]),
    services: lister((name) => services[name]),
  };
  const { declared, withoutAddress } = runEnvironment(services["a"]!, parts);
  const url = declared["VENDETTA_SERVICE_B_URL"];
  assert.deepEqual(withoutAddress, url === undefined ? ["b"] : [], "what has no address is told");
  const isCarried = from[0] === "host" && from[1] !== "here" && from[1] !== peer[1];
  assert.deepEqual(crossingsOf(services["a"]!, parts), isCarried ? [{ service: "b", nodePort: 20001 }] : [], "what the server has to carry on from there");
  return url;
}

/** from, peer, and the address that is true from there. */
const table: readonly (readonly [from: Place, peer: Place, url: string | undefined])[] = [
  [["docker", "here"], ["docker", "here"], "http://172.17.0.9:80"],
  [["docker", "far"], ["docker", "far"], "http://172.17.0.9:80"],
  [["docker", "far"], ["docker", "here"], undefined],
  [["docker", "here"], ["docker", "far"], undefined],
  [["docker", "far"], ["host", "far"], undefined],
  [["host", "here"], ["docker", "here"], "http://127.0.0.1:20001"],
  [["host", "here"], ["docker", "far"], "http://127.0.0.1:20001"],
  [["host", "here"], ["host", "far"], "http://127.0.0.1:20001"],
  [["host", "far"], ["host", "far"], "http://127.0.0.1:80"],
  [["host", "far"], ["docker", "far"], "http://172.17.0.9:80"],
  [["host", "far"], ["docker", "here"], "http://127.0.0.1:20001"],
  [["host", "far"], ["host", "farther"], "http://127.0.0.1:20001"],
];

describe("what a service is told of one on another Node: only what is true there", () => {
  for (const [from, peer, url] of table) it(`${from.join(" on ")} → ${peer.join(" on ")}: ${url ?? "nothing"}`, () => assert.equal(told(from, peer), url));
});
