import { portsOf, type Service } from "../../src/api/service.ts";
import { isDeleting } from "../../src/api/meta.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import type { Lister } from "../../src/runtime/lister.ts";

/** What a service can be told of another: where it answers from inside `from`. */
interface Address {
  readonly host: string;
  readonly port: number;
  /** It leads there only while the server carries that node port on, from the Node that `from` is on. */
  readonly isCrossing?: boolean;
}

function addressOf(peer: Service, port: number, from: Workspace, peerWorkspace: Workspace | undefined, isRemote: IsRemote): Address | undefined {
  if (peer.spec.workspace === from.metadata.name) return { host: "127.0.0.1", port };
  const there = peerWorkspace?.status;
  const { nodeName } = from.status ?? {};
  if (there === undefined || nodeName === undefined) return undefined;
  const sameNode = there.nodeName === nodeName;
  if (from.spec.provider === "host") {
    const mapped = there.ports?.find((each) => each.port === port);
    // What shares the server's own network reaches every node port, to whichever Node it leads.
    if (!isRemote(nodeName)) return mapped && { host: "127.0.0.1", port: mapped.nodePort };
    if (mapped === undefined) return undefined;
    if (!sameNode) return { host: "127.0.0.1", port: mapped.nodePort, isCrossing: true };
    // Another machine's has no node ports of its own services: what shares its network is at its own port, what does not at its address.
    return peerWorkspace?.spec.provider === "host" ? { host: "127.0.0.1", port } : there.address === undefined ? undefined : { host: there.address, port };
  }
  // From a network of its own nothing reaches the loopback address of its node, where node ports are.
  return sameNode && peerWorkspace?.spec.provider !== "host" && there.address !== undefined ? { host: there.address, port } : undefined;
}

/** Whether a Node is another machine than the server's. */
type IsRemote = (nodeName: string) => boolean;

/** `web-api` → `WEB_API`: what may stand in a variable's name. */
function variableName(service: string): string {
  return service.toUpperCase().replaceAll("-", "_");
}

/**
 * Discovery variables for services that run in `from`: for each peer with a port
 * `VENDETTA_SERVICE_<NAME>_URL`, `_HOST`, `_PORT` and `vendetta_SERVICE_<NAME>_URL`; further named ports as
 * `VENDETTA_SERVICE_<NAME>_<PORTNAME>_URL`. A peer that cannot be reached from there is left out.
 */
function discoveryEnvironment(from: Workspace, peers: readonly Service[], workspaceOf: (name: string) => Workspace | undefined, isRemote: IsRemote): Record<string, string> {
  const env: Record<string, string> = {};
  for (const peer of [...peers].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const prefix = `VENDETTA_SERVICE_${variableName(peer.metadata.name)}`;
    portsOf(peer.spec).forEach(({ name, port, appProtocol }, i) => {
      const address = addressOf(peer, port, from, workspaceOf(peer.spec.workspace), isRemote);
      if (address === undefined) return;
      const url = `${appProtocol}://${address.host}:${address.port}`;
      if (i === 0) {
        env[`${prefix}_URL`] = url;
        env[`${prefix}_HOST`] = address.host;
        env[`${prefix}_PORT`] = String(address.port);
        env[`vendetta_SERVICE_${variableName(peer.metadata.name)}_URL`] = url;
      } else env[`${prefix}_${variableName(name)}_URL`] = url;
    });
  }
  return env;
}

/** The whole environment a service's command gets beside the instance's own: discovery, PORT, then what the manifest says, which wins. */
function serviceEnvironment(service: Service, discovery: Readonly<Record<string, string>>): Record<string, string> {
  const first = portsOf(service.spec)[0];
  return { ...discovery, ...(first ? { PORT: String(first.port) } : {}), ...service.spec.env };
}

export interface RunEnvironment {
  /** With the variables of declared dependencies only: what a restart is for. A new neighbour restarts nobody. */
  readonly declared: Readonly<Record<string, string>>;
  /** With those of every Service of the same workspace besides: what a start gets. */
  readonly all: Readonly<Record<string, string>>;
  /** Declared dependencies with a port, placed as this one is, to which nothing leads from here. */
  readonly withoutAddress: readonly string[];
}

export interface EnvironmentParts {
  readonly nodes: Lister<"Node">;
  readonly workspaces: Lister<"Workspace">;
  /** With the index "workspace" (namespace/name). */
  readonly services: Lister<"Service">;
}

/** A port of a dependency elsewhere, that has to lead on from the Node this service is on. */
export interface CrossingNeed {
  /** Name of the Service it leads to. */
  readonly service: string;
  readonly nodePort: number;
}

/** What the variables of its declared dependencies take for granted. Of its own workspace a service needs nothing carried. */
export function crossingsOf(service: Service, { nodes, services, workspaces }: EnvironmentParts): readonly CrossingNeed[] {
  const { namespace } = service.metadata;
  const from = workspaces.get({ namespace, name: service.spec.workspace });
  if (from === undefined || service.spec.dependsOn.length === 0) return [];
  const isRemote = (name: string) => nodes.get({ name })?.spec.ssh !== undefined;
  return service.spec.dependsOn.flatMap(({ name }) => {
    const peer = services.get({ namespace, name });
    if (peer === undefined || isDeleting(peer)) return [];
    const peerWorkspace = workspaces.get({ namespace, name: peer.spec.workspace });
    return portsOf(peer.spec).flatMap(({ port }) => {
      const address = addressOf(peer, port, from, peerWorkspace, isRemote);
      return address?.isCrossing === true ? [{ service: name, nodePort: address.port }] : [];
    });
  });
}

export function runEnvironment(service: Service, { nodes, services, workspaces }: EnvironmentParts): RunEnvironment {
  const { namespace, uid } = service.metadata;
  const workspaceOf = (name: string) => workspaces.get({ namespace, name });
  const nodeOf = (name: string) => workspaceOf(name)?.status?.nodeName;
  const isRemote = (name: string) => nodes.get({ name })?.spec.ssh !== undefined;
  const from = workspaceOf(service.spec.workspace);
  const dependencies = service.spec.dependsOn.map(({ name }) => services.get({ namespace, name })).filter((each) => each !== undefined && !isDeleting(each)) as Service[];
  const neighbours = services.byIndex("workspace", `${namespace}/${service.spec.workspace}`).filter((other) => other.metadata.uid !== uid);
  const declared = from === undefined ? {} : discoveryEnvironment(from, dependencies, workspaceOf, isRemote);
  const all = from === undefined ? {} : { ...discoveryEnvironment(from, neighbours, workspaceOf, isRemote), ...declared };
  const isPlaced = (peer: Service) => nodeOf(service.spec.workspace) !== undefined && nodeOf(peer.spec.workspace) !== undefined;
  const hasAddress = ({ metadata: { name } }: Service) => `VENDETTA_SERVICE_${variableName(name)}_URL` in declared;
  const withoutAddress = dependencies.filter((peer) => portsOf(peer.spec).length > 0 && isPlaced(peer) && !hasAddress(peer)).map(({ metadata }) => metadata.name);
  return { declared: serviceEnvironment(service, declared), all: serviceEnvironment(service, all), withoutAddress };
}
