import { AccessError, type AccessWish, type MachineAccess, type SshAddress } from "../access/access.ts";
import { clusterIdOf } from "../api/cluster-id.ts";
import type { Node } from "../api/node.ts";
import { hopsOf, type SshReach } from "../api/ssh-reach.ts";
import type { Workspace } from "../api/workspace.ts";
import type { HttpStore } from "../client/http-store.ts";
import { createPerson } from "./person.ts";
import type { Session } from "./session.ts";
import { createStepProgress, type StepProgress } from "./step-progress.ts";
import { CliError } from "./world.ts";

/** "dev@10.0.0.5", with the port when it is not 22; "this machine" for the local Node. */
export function addressOf(node: Pick<Node, "spec">): string {
  const { ssh } = node.spec;
  return ssh === undefined ? "this machine" : machineName(ssh) + (ssh.jump === undefined ? "" : ` through ${jumpsName(ssh)}`);
}

/** The machines gone through on the way to one, as --jump takes them. */
export function jumpsName(machine: Hop): string {
  return hopsOf<Hop>(machine).slice(0, -1).map(machineName).join(",");
}

interface Hop extends SshAddress {
  readonly jump?: Hop | undefined;
}

/** Whether two ways lead through the same machines to the same one. */
export function sameWay(a: Hop, b: Hop): boolean {
  const [one, other] = [hopsOf<Hop>(a), hopsOf<Hop>(b)];
  return one.length === other.length && one.every((each, i) => sameMachine(each, other[i]));
}

export function machineName({ user, host, port }: SshAddress): string {
  return `${user}@${host.includes(":") ? `[${host}]` : host}${port === 22 ? "" : `:${port}`}`;
}

export const sameMachine = (a: SshAddress | undefined, b: SshAddress | undefined): boolean => a?.host === b?.host && a?.port === b?.port && a?.user === b?.user;

/** How a Node is reached. @throws CliError for this machine's own */
export function sshOf(node: Node, verb: string): SshReach {
  if (node.spec.ssh === undefined) throw new CliError(`Node "${node.metadata.name}" is this machine: it is not reached over SSH, and there is nothing to ${verb}`);
  return node.spec.ssh;
}

export async function openAccess({ world, paths }: Session, store: HttpStore): Promise<MachineAccess> {
  const cluster = clusterIdOf(await store.get("Namespace", { name: "default" }));
  return await world.openAccess({ sshDir: paths.sshDir, cluster, env: world.env, clock: world.clock });
}

/** What a step-wise act on a machine is to know and to tell. Dispose the progress when it has ended. */
export function accessWish(session: Session, acceptHostKeys: readonly string[] | undefined, password?: string): { readonly wish: AccessWish; readonly progress: StepProgress } {
  const progress = createStepProgress(session);
  const person = createPerson(session.world, session.signal, () => progress.clear());
  return { progress, wish: { person, acceptHostKeys: acceptHostKeys ?? [], password, onStep: progress.onStep, signal: session.signal } };
}

/** Adds to a failure what the Node's name makes possible. */
export function withNextStep(error: unknown, name: string): unknown {
  if (!(error instanceof AccessError)) return error;
  if (error.failure === "HostKeyRefused" && !error.message.includes("node trust")) return new CliError(`${error.message}; when you have made sure that it is the machine, run 'vendetta node trust ${name}'`, { cause: error });
  return error;
}

/** Workspaces placed on a Node, in all namespaces. */
export async function placedOn(store: HttpStore, name: string): Promise<readonly Workspace[]> {
  return (await store.list("Workspace", { fields: [{ path: "status.nodeName", equal: true, value: name }] })).items;
}

/** Workspaces that are elsewhere now, and left an instance on that Node when it did not answer. */
export async function leftOn(store: HttpStore, name: string): Promise<readonly Workspace[]> {
  return (await store.list("Workspace")).items.filter(({ status }) => status?.leftBehind?.some((each) => each.nodeName === name) === true);
}

/** "team/dev", or "dev" in the namespace default. */
export const shortName = ({ metadata }: { readonly metadata: { readonly namespace?: string | undefined; readonly name: string } }) => (metadata.namespace === undefined || metadata.namespace === "default" ? metadata.name : `${metadata.namespace}/${metadata.name}`);
