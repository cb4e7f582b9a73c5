import type { ContainerInfo, ContainerInspectInfo } from "dockerode";
import type { Instance, InstanceOwner, PublishedPort } from "../provider.ts";
import { labels, ofLabel, runDir } from "./container-config.ts";

/** Who a container belongs to by its labels; undefined when it is not one of ours. */
export function ownerOf(found: Readonly<Record<string, string>> | undefined): InstanceOwner | undefined {
  const cluster = found?.[labels.cluster];
  const uid = found?.[labels.uid];
  if (cluster === undefined || uid === undefined) return undefined;
  return { cluster, uid, namespace: found?.[labels.namespace] ?? "", name: found?.[labels.name] ?? "" };
}

/** One that was made of another's state is not as new as the engine has it: there is something on its disk. */
function stateOf(status: string, found: Readonly<Record<string, string>>): Instance["state"] {
  switch (status) {
    case "created":
      return found[ofLabel] === undefined ? "created" : "stopped";
    case "running":
    case "restarting":
      return "running";
    case "paused":
      return "paused";
    case "exited":
      return "stopped";
    default:
      // "dead" and "removing": the engine could not take it away whole.
      return "broken";
  }
}

export function instanceFromInspect(found: ContainerInspectInfo): Instance | undefined {
  const owner = ownerOf(found.Config.Labels);
  if (owner === undefined) return undefined;
  const state = stateOf(found.State.Status, found.Config.Labels);
  const running = state === "running" || state === "paused";
  const networks = Object.values(found.NetworkSettings.Networks ?? {});
  const address = found.HostConfig.NetworkMode === "host" ? "127.0.0.1" : networks.find((each) => each.IPAddress !== "")?.IPAddress;
  return {
    id: found.Name.replace(/^\//, ""),
    owner,
    generation: Number(found.Config.Labels[labels.generation] ?? 0),
    specHash: found.Config.Labels[labels.specHash] ?? "",
    state,
    startId: running ? found.State.StartedAt : undefined,
    startedAt: running ? found.State.StartedAt : undefined,
    exitCode: state === "stopped" ? found.State.ExitCode : undefined,
    outOfMemory: found.State.OOMKilled,
    address: running ? address : undefined,
    ports: publishedPorts(found),
    runDir,
    problems: state === "broken" ? [`the engine says it is ${found.State.Status}: ${found.State.Error || "no reason given"}`] : [],
  };
}

function publishedPorts(found: ContainerInspectInfo): PublishedPort[] {
  const bindings = (found.HostConfig.PortBindings ?? {}) as Record<string, { HostPort?: string }[] | null>;
  return Object.entries(bindings).flatMap(([key, hosts]) => {
    const [port, protocol] = key.split("/");
    const nodePort = Number(hosts?.[0]?.HostPort);
    return nodePort > 0 ? [{ port: Number(port), nodePort, protocol: protocol === "udp" ? ("udp" as const) : ("tcp" as const) }] : [];
  });
}

/** The listing tells less than an inspect: no start id and no exit code. */
export function instanceFromList(found: ContainerInfo): Instance | undefined {
  const owner = ownerOf(found.Labels);
  if (owner === undefined) return undefined;
  const state = stateOf(found.State, found.Labels);
  return {
    id: (found.Names[0] ?? found.Id).replace(/^\//, ""),
    owner,
    generation: Number(found.Labels[labels.generation] ?? 0),
    specHash: found.Labels[labels.specHash] ?? "",
    state,
    startId: undefined,
    startedAt: undefined,
    exitCode: undefined,
    outOfMemory: false,
    address: undefined,
    ports: [],
    runDir,
    problems: state === "broken" ? [`the engine says it is ${found.State}`] : [],
  };
}
