import type { WorkspacePort } from "../../src/api/workspace.ts";

/** Ports of one workspace that something needs reached from the node. */
export interface WantedPort {
  readonly port: number;
  /** Asked for by the manifest; undefined: any of the node's range. */
  readonly nodePort: number | undefined;
}

export interface PortRequest {
  readonly wanted: readonly WantedPort[];
  /** What the Workspace has on record. Kept wherever it still fits: ports stay. */
  readonly recorded: readonly WorkspacePort[];
  /** Ports the instance publishes now; undefined while there is no instance. */
  readonly published: readonly { readonly port: number; readonly nodePort: number }[] | undefined;
  readonly enginePublishes: boolean;
  /** The engine can publish other ports while the instance runs. */
  readonly engineRepublishes: boolean;
  readonly sharesNodeNetwork: boolean;
  /** The node is another machine: node ports are the server's, and each is carried from there. */
  readonly isRemote: boolean;
  /** Inclusive. */
  readonly range: { readonly from: number; readonly to: number };
  /** Where in the range to begin, so that the same workspace tends to get the same port again. Any non-negative integer. */
  readonly seed: number;
  /** Who has this node port, among all workspaces; undefined: nobody. */
  readonly holder: (nodePort: number) => string | undefined;
  /** Who uses this port of a remote node's own network, which the workspaces there share; undefined: nobody. */
  readonly sharer: (port: number) => string | undefined;
  /** Whether it can be bound where node ports are. */
  readonly isFree: (nodePort: number) => Promise<boolean>;
}

export type PortAnswer = { readonly kind: "assigned"; readonly ports: readonly WorkspacePort[] } | { readonly kind: "conflict"; readonly port: number; readonly message: string };

/** Free ports tried before the range counts as full: each try may be a call to the node. */
const triesMax = 200;

/** Gives each wanted port its node port. Changes nothing: the caller records the answer before anything uses it. */
export async function assignPorts(request: PortRequest): Promise<PortAnswer> {
  const ports: WorkspacePort[] = [];
  const taken = new Set<number>();
  const add = (port: WorkspacePort) => {
    ports.push(port);
    taken.add(port.nodePort);
  };
  for (const { port, nodePort } of request.wanted) {
    const old = request.recorded.find((each) => each.port === port);
    const published = request.published?.find((each) => each.port === port);
    const sharer = !request.sharesNodeNetwork ? undefined : request.isRemote ? request.sharer(port) : request.holder(port);
    if (sharer !== undefined) return { kind: "conflict", port, message: `port ${port} of the node is already used by ${sharer}; workspaces without isolation share the node's ports: change one of the two` };
    if (request.sharesNodeNetwork && !request.isRemote) {
      add({ port, nodePort: port, via: "Shared" });
    } else if (published !== undefined && !request.isRemote && isAsWished(request, nodePort, published.nodePort)) add({ port, nodePort: published.nodePort, via: "Engine" });
    else {
      const via = request.enginePublishes && (request.published === undefined || request.engineRepublishes) && !request.isRemote ? "Engine" : "Forward";
      if (old !== undefined && (nodePort === undefined || nodePort === old.nodePort) && request.holder(old.nodePort) === undefined) add({ ...old, via });
      else if (nodePort !== undefined) {
        const holder = request.holder(nodePort) ?? ((await request.isFree(nodePort)) ? undefined : "another program");
        if (holder !== undefined) return { kind: "conflict", port, message: `node port ${nodePort}, asked for by spec.ports, is already used by ${holder}; free it or ask for another` };
        add({ port, nodePort, via });
      } else {
        const free = await findFree(request, taken);
        if (free === undefined) return { kind: "conflict", port, message: `no free port between ${request.range.from} and ${request.range.to} on the node; widen spec.nodePorts of the Node` };
        add({ port, nodePort: free, via });
      }
    }
  }
  // In an order of its own, so that a Service listed earlier or later writes no status.
  return { kind: "assigned", ports: ports.sort((a, b) => a.port - b.port) };
}

/** What cannot be changed is as it is; what can has to be as asked for, and nobody else's. */
function isAsWished({ engineRepublishes, holder }: PortRequest, asked: number | undefined, nodePort: number): boolean {
  return !engineRepublishes || ((asked === undefined || asked === nodePort) && holder(nodePort) === undefined);
}

async function findFree({ range, seed, holder, isFree }: PortRequest, taken: ReadonlySet<number>): Promise<number | undefined> {
  const size = range.to - range.from + 1;
  let tries = 0;
  for (let i = 0; i < size && tries < triesMax; i++) {
    const candidate = range.from + ((seed + i) % size);
    if (taken.has(candidate) || holder(candidate) !== undefined) continue;
    tries++;
    if (await isFree(candidate)) return candidate;
  }
  return undefined;
}
