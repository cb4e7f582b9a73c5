import type { IncomingMessage } from "node:http";
import type { NamespacedName } from "../base/keys.ts";
import { commandProtocols, forwardProtocols, spdyProtocols } from "../api/remote-command.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import type { Pod } from "../api/pod.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { CommandWish } from "./commands.ts";
import { requestedContainer } from "./pod-container.ts";
import { Query } from "./query.ts";
import { guardRequest } from "./request-guard.ts";
import { unknownPath } from "./status-response.ts";

/** What an upgraded connection is for. */
export type UpgradeWish =
  /** Run a command. */
  | { readonly kind: "exec"; readonly wish: Omit<CommandWish, "signal"> }
  /** See what a Service says from now on. */
  | { readonly kind: "attach"; readonly service: NamespacedName }
  /** Reach ports: those named here where there are channels, those of each stream elsewhere. */
  | { readonly kind: "forward"; readonly pod: Pod; readonly ports: readonly number[] };

/** A channel's number is one byte, and each port has two. */
const portsMax = 127;

/** How it is spoken. */
export type UpgradeWire = { readonly kind: "websocket" } | { readonly kind: "spdy"; /** To be confirmed. */ readonly protocol: string };

export interface ReadUpgrade {
  readonly wish: UpgradeWish;
  readonly wire: UpgradeWire;
  readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
}

const commandKinds = { workspaces: "Workspace", services: "Service" } as const;
/** Paths that take an upgrade, below a namespace: by root, the plurals and what is below an object of them. */
export const upgradePaths: readonly { readonly root: string; readonly plural: string; readonly verbs: readonly string[] }[] = [
  ...Object.keys(commandKinds).map((plural) => ({ root: groupPath(kindPaths.Workspace), plural, verbs: ["exec"] })),
  { root: groupPath(kindPaths.Pod), plural: "pods", verbs: ["exec", "attach", "portforward"] },
];

/** @throws StatusError */
export async function readUpgrade(request: IncomingMessage, hosts: readonly string[], store: Pick<Store, "get">): Promise<ReadUpgrade> {
  const url = URL.canParse(request.url ?? "", "http://localhost") ? new URL(request.url!, "http://localhost") : undefined;
  if (url === undefined) throw new StatusError("BadRequest", "Cannot read the request's path");
  const headers = new Headers(Object.entries(request.headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value] as [string, string]] : [])));
  guardRequest({ headers, url: url.href }, hosts);
  const place = placeOf(url.pathname);
  if (place === undefined) throw unknownPath();
  const wire = wireOf(request.method, headers, place.verb === "portforward");
  const query = new Query(url.href);
  const terminal = query.flag("tty");
  const streams = { stdin: query.flag("stdin"), stdout: query.choice("stdout") ?? true, stderr: query.choice("stderr") ?? true };
  const wish = await wishOf(place, url.searchParams, query.text("container"), terminal, store);
  const channels = wire.kind === "websocket" && headers.get("sec-websocket-protocol")?.includes(forwardProtocols[0]) !== true;
  if (wish.kind === "forward" && channels && wish.ports.length === 0) throw new StatusError("BadRequest", 'query parameter "ports" is required');
  return { wish, wire, streams };
}

interface Place {
  readonly plural: string;
  readonly ref: NamespacedName;
  readonly verb: string;
}

function placeOf(path: string): Place | undefined {
  for (const { root, plural, verbs } of upgradePaths) {
    if (!path.startsWith(`${root}/namespaces/`)) continue;
    const [namespace = "", found, name = "", verb = "", ...rest] = path.slice(`${root}/namespaces/`.length).split("/");
    if (found === plural && verbs.includes(verb) && rest.length === 0) return { plural, ref: { namespace: decoded(namespace), name: decoded(name) }, verb };
  }
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new StatusError("BadRequest", "Cannot read the request's path", {}, { cause: error });
  }
}

function wireOf(method: string | undefined, headers: Headers, forward: boolean): UpgradeWire {
  const upgrade = headers.get("upgrade")?.toLowerCase();
  const list = (name: string) => (headers.get(name) ?? "").split(",").map((each) => each.trim());
  if (upgrade === "websocket") {
    if (method !== "GET") throw new StatusError("BadRequest", "Upgrade to WebSocket required");
    const spoken: readonly string[] = forward ? forwardProtocols : commandProtocols;
    if (!list("sec-websocket-protocol").some((each) => spoken.includes(each))) throw new StatusError("BadRequest", `Cannot speak the offered protocols; this server speaks ${spoken.join(", ")}`);
    return { kind: "websocket" };
  }
  if (upgrade !== "spdy/3.1") throw new StatusError("BadRequest", "Upgrade to WebSocket required");
  const spoken = forward ? spdyProtocols.forward : spdyProtocols.command;
  const offered = list("x-stream-protocol-version");
  if (!offered.includes(spoken)) throw new StatusError("Forbidden", `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${spoken}]`);
  return { kind: "spdy", protocol: spoken };
}

async function wishOf({ plural, ref, verb }: Place, params: URLSearchParams, containerName: string | undefined, terminal: boolean, store: Pick<Store, "get">): Promise<UpgradeWish> {
  const command = () => {
    const argv = params.getAll("command");
    if (argv.length === 0) throw new StatusError("BadRequest", "you must specify at least one command for the container");
    return { argv, terminal };
  };
  if (plural !== "pods") return { kind: "exec", wish: { kind: commandKinds[plural as keyof typeof commandKinds], ref, ...command() } };
  const pod = await store.get("Pod", ref);
  if (pod.spec.nodeName === undefined) throw new StatusError("BadRequest", `pod ${ref.name} does not have a host assigned`);
  if (verb === "portforward") return { kind: "forward", pod, ports: portsOf(params) };
  const { name, target } = requestedContainer(pod, containerName);
  const service = { namespace: ref.namespace, name };
  if (verb === "exec") return { kind: "exec", wish: target.kind === "Service" ? { kind: "Service", ref: service, ...command() } : { kind: "Workspace", ref, ...command() } };
  if (target.kind === "Service") return { kind: "attach", service };
  throw new StatusError("BadRequest", `Cannot attach to container ${name} of pod ${ref.name}: it stands for the workspace's shell, in which nothing runs yet; start something in it: kubectl exec -it ${ref.name} -c ${name} -- sh`);
}

/** `ports=80&ports=443` or `ports=80,443`. @throws StatusError BadRequest */
function portsOf(params: URLSearchParams): readonly number[] {
  const words = params.getAll("ports").flatMap((each) => each.split(",")).filter((each) => each !== "");
  if (words.length > portsMax) throw new StatusError("BadRequest", `Cannot forward ${words.length} ports over one connection; the most is ${portsMax}`);
  return words.map((word) => {
    const port = /^\d{1,5}$/.test(word) ? Number(word) : 0;
    if (port < 1 || port > 65535) throw new StatusError("BadRequest", `unable to parse ${JSON.stringify(word.slice(0, 100))} as a port: it must be a number from 1 to 65535`);
    return port;
  });
}
