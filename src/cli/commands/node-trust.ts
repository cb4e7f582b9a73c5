import { AccessError } from "../../access/access.ts";
import type { JumpReach } from "../../api/ssh-reach.ts";
import { accessWish, openAccess, sshOf } from "../node-reach.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";

export interface NodeTrustOptions {
  readonly acceptHostKey?: readonly string[] | undefined;
}

/** Pins the host key that a Node's machine shows now, on purpose. */
export async function nodeTrust(session: Session, name: string, { acceptHostKey }: NodeTrustOptions): Promise<void> {
  const store = await session.connect();
  const node = await store.get("Node", { name });
  const reach = sshOf(node, "trust");
  const access = await openAccess(session, store);
  const { wish, progress } = accessWish(session, acceptHostKey);
  try {
    const { way, changes } = await access.trust(reach, wish);
    if (changes.length === 0) return session.print(`node.vendetta.dev/${name} unchanged`);
    for (const { where, before, now } of changes) session.tell(`${where}\n  old: ${before.join("\n       ")}\n  new: ${now}`);
    // Of the Node as it was looked at: whoever pinned something else meanwhile is not overruled.
    const ssh = pinsOf(way);
    await store.patch("Node", { name }, { type: "merge", patch: { metadata: { resourceVersion: (await unchangedReach(session, name, reach)), uid: node.metadata.uid }, spec: { ssh } } });
    session.print(`node.vendetta.dev/${name} trusted`);
  } catch (error) {
    if (error instanceof AccessError) throw new CliError(`Node "${name}" was not changed: ${error.message}`, { cause: error });
    throw error;
  } finally {
    progress[Symbol.dispose]();
  }
}

/** Of a way, what is to be written. */
function pinsOf({ hostKeys, jump }: Pick<JumpReach, "hostKeys" | "jump">): object {
  return { hostKeys, ...(jump === undefined ? {} : { jump: pinsOf(jump) }) };
}

/** The version to write on: status moves all the time, and must not stand in the way. */
async function unchangedReach(session: Session, name: string, reach: object): Promise<string> {
  const { metadata, spec } = await (await session.connect()).get("Node", { name });
  if (JSON.stringify(spec.ssh) !== JSON.stringify(reach)) throw new CliError(`Node "${name}" was changed by somebody else meanwhile; run 'vendetta node trust ${name}' again`);
  return metadata.resourceVersion;
}
