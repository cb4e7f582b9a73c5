import { shQuote } from "../../base/sh-quote.ts";
import { AccessError, type Enrolment, type MachineAccess, type SshMachine } from "../../access/access.ts";
import { messageOf } from "../../base/errors.ts";
import type { ObjectInput } from "../../api/meta.ts";
import { nodeName } from "../../api/node-name.ts";
import type { Node } from "../../api/node.ts";
import { localLabelCauses } from "../../api/local-node-label.ts";
import { isAlreadyExists, StatusError } from "../../api/status-error.ts";
import { parseObject } from "../../api/validate.ts";
import type { HttpStore } from "../../client/http-store.ts";
import { durationArgument } from "../duration-argument.ts";
import { accessWish, addressOf, jumpsName, machineName, openAccess, sameMachine, sameWay, withNextStep } from "../node-reach.ts";
import type { Session } from "../session.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";
import { CliError, type Input } from "../world.ts";

export interface NodeAddOptions {
  readonly name?: string | undefined;
  readonly identity?: string | undefined;
  readonly jump?: string | undefined;
  /** Socket of the machine's Docker engine. Absent: it is looked for. */
  readonly dockerSocket?: string | undefined;
  /** `KEY=VALUE` each. */
  readonly label?: readonly string[] | undefined;
  readonly acceptHostKey?: readonly string[] | undefined;
  readonly passwordStdin?: boolean | undefined;
  readonly timeout?: string | undefined;
}

const passwordBytesMax = 4096;

/** Makes a machine that can be reached a Node. */
export async function nodeAdd(session: Session, target: string, options: NodeAddOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "30s");
  const labels = labelsOf(options.label ?? []);
  const password = options.passwordStdin === true ? await firstLine(session.world.stdin) : undefined;
  const store = await session.connect();
  const access = await openAccess(session, store);
  const machine = await access.resolve(target, { jump: options.jump, identity: options.identity });
  const name = options.name ?? nodeName(machine.alias);
  const { items: nodes } = await store.list("Node");
  const known = nodes.find(({ spec }) => spec.ssh !== undefined && sameMachine(spec.ssh, machine));
  if (known !== undefined) return await addAgain(session, access, known, machine, labels, options, password);
  const other = nodes.find(({ metadata }) => metadata.name === name);
  if (other !== undefined) throw new CliError(`There is a Node "${name}" already, and it is another machine (${addressOf(other)}); give this one another name with --name`);
  checkMetadata({ name, labels }, machine);
  await addNew(session, store, access, { name, labels }, machine, options, password, nodes);
  await waitUntilSettled(session, store, [{ kind: "Node", name }], timeoutMs);
}

/** What the server would refuse, before the machine is touched. @throws CliError */
function checkMetadata(metadata: NewNode, machine: SshMachine): void {
  try {
    parseObject("Node", { metadata, spec: { local: {} } });
  } catch (error) {
    throw error instanceof StatusError ? new CliError(error.message, { cause: error }) : error;
  }
  const [cause] = localLabelCauses({ metadata: { labels: metadata.labels }, spec: { ssh: machine } }, undefined);
  if (cause !== undefined) throw new CliError(`--label: ${cause.field} ${cause.message}`);
}

interface NewNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

async function addNew(session: Session, store: HttpStore, access: MachineAccess, metadata: NewNode, machine: SshMachine, options: NodeAddOptions, password: string | undefined, nodes: readonly Node[]): Promise<void> {
  const { wish, progress } = accessWish(session, options.acceptHostKey, password);
  let enrolment: Enrolment | undefined;
  try {
    enrolment = await access.enrol(machine, { ...wish, dockerSocketPath: options.dockerSocket });
    await refuseTwice(enrolment, nodes);
    await storeNode(store, metadata, enrolment);
  } catch (error) {
    if (session.signal.aborted || !(error instanceof AccessError)) throw error;
    throw new CliError(`Cannot add ${machineName(machine)}: ${error.message}. No Node was stored`, { cause: error });
  } finally {
    progress[Symbol.dispose]();
    await enrolment?.close();
  }
  session.print(`node.vendetta.dev/${metadata.name} created`);
}

/** Two Nodes of one machine would take each other's instances for orphans. @throws AccessError, with the key taken away that was put there */
async function refuseTwice({ way, undo }: Enrolment, nodes: readonly Node[]): Promise<void> {
  const same = nodes.find(({ spec }) => spec.ssh?.hostKeys.some((key) => way.hostKeys.includes(key)));
  if (same === undefined) return;
  await undo();
  throw new AccessError(`it shows the host key of Node "${same.metadata.name}" (${addressOf(same)}), and a machine is one Node. If it is another one, made from the same image, give it a host key of its own ('rm /etc/ssh/ssh_host_*; ssh-keygen -A' there, and restart sshd)`);
}

/** The machine's key is of no use to a Node that is not there. */
async function storeNode(store: HttpStore, metadata: NewNode, { way, dockerSocketPath, undo }: Enrolment): Promise<void> {
  const providers = dockerSocketPath === undefined ? {} : { docker: { socketPath: dockerSocketPath } };
  const node = { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata, spec: { ssh: way, providers } };
  const { name } = metadata;
  try {
    // Defaults are filled in by the store.
    await store.create("Node", node as unknown as ObjectInput<Node>);
  } catch (error) {
    await undo();
    if (isAlreadyExists(error)) throw new CliError(`A Node "${name}" was made meanwhile; look at it with 'vendetta node status ${name}', or choose another name with --name`, { cause: error });
    throw error;
  }
}

/** A machine that is a Node already: looked at, and its key put back if it is missing. The Node stays as it is. */
async function addAgain(session: Session, access: MachineAccess, node: Node, machine: SshMachine, labels: Readonly<Record<string, string>>, options: NodeAddOptions, password: string | undefined): Promise<void> {
  const { name } = node.metadata;
  const reach = node.spec.ssh!;
  if (options.name !== undefined && options.name !== name) throw new CliError(`${machineName(machine)} is Node "${name}" already; a machine is one Node. Remove it first ('vendetta node remove ${name}'), or leave --name out`);
  if (!sameWay(reach, machine)) throw new CliError(`Node "${name}" is ${addressOf(node)}, and not reached ${machine.jump === undefined ? "directly" : `through ${jumpsName(machine)}`}; to change that, remove it first ('vendetta node remove ${name}')`);
  refuseChanges(node, labels, options.dockerSocket);
  const { wish, progress } = accessWish(session, options.acceptHostKey, password);
  try {
    try {
      await (await access.open(reach, session.signal)).close();
      return session.print(`node.vendetta.dev/${name} unchanged`);
    } catch (error) {
      if (!(error instanceof AccessError) || error.failure !== "LoginRefused" || reach.identityFile !== undefined) throw error;
      progress.clear();
      session.tell(`${machineName(machine)} is Node "${name}", and does not take the cluster's key any more: putting it back …`);
    }
    const enrolment = await access.enrol(machine, { ...wish, known: reach, dockerSocketPath: node.spec.providers.docker?.socketPath });
    await enrolment.close();
    session.print(`node.vendetta.dev/${name} unchanged${enrolment.changed ? ", its key was put back" : ""}`);
  } catch (error) {
    const shown = withNextStep(error, name);
    throw shown instanceof AccessError ? new CliError(`Node "${name}" is there, and was not changed: ${messageOf(shown)}`, { cause: error }) : shown;
  } finally {
    progress[Symbol.dispose]();
  }
}

/** `node add` makes Nodes and changes none. @throws CliError */
function refuseChanges({ metadata: { name, labels: found = {} }, spec }: Node, labels: Readonly<Record<string, string>>, dockerSocket: string | undefined): void {
  const next = (command: string) => `to change that: vendetta ${command}`;
  const socketPath = spec.providers.docker?.socketPath;
  if (dockerSocket !== undefined && dockerSocket !== socketPath) throw new CliError(`Node "${name}" is there, and its Docker engine is asked at ${socketPath ?? "the usual place"}; ${next(`patch node ${name} -p ${shQuote(JSON.stringify({ spec: { providers: { docker: { socketPath: dockerSocket } } } }))}`)}`);
  const other = Object.entries(labels).find(([key, value]) => found[key] !== value);
  if (other !== undefined) throw new CliError(`Node "${name}" is there, and its label ${other[0]} is ${found[other[0]] ?? "not set"}; ${next(`label node ${name} ${Object.entries(labels).map(([key, value]) => shQuote(`${key}=${value}`)).join(" ")} --overwrite`)}`);
}

function labelsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(words.map((word) => {
    const at = word.indexOf("=");
    if (at < 1) throw new CliError(`--label: "${word}" is not KEY=VALUE`);
    return [word.slice(0, at), word.slice(at + 1)];
  }));
}

/** A password as it is handed in: what comes before the first line's end. */
async function firstLine(stdin: Input): Promise<string> {
  let text = Buffer.alloc(0);
  for await (const chunk of stdin) {
    text = Buffer.concat([text, Buffer.from(chunk as Buffer | string)]);
    if (text.includes(10) || text.length > passwordBytesMax) break;
  }
  const line = text.toString("utf8").split(/\r?\n/)[0]!;
  if (line === "" || Buffer.byteLength(line) > passwordBytesMax) throw new CliError(`--password-stdin: stdin ${line === "" ? "was empty" : `held more than ${passwordBytesMax} bytes`}; hand in the password as its first line`);
  return line;
}
