import { TimeoutError } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Node } from "../../src/api/node.ts";
import type { Machine } from "../machines.ts";

/** Why nothing can be said of what is on a Node; undefined when it can be asked, or nobody has tried yet. */
export function whyUnknown(node: Node): string | undefined {
  const ready = findCondition(node.status?.conditions, "Ready");
  if (ready?.status !== "Unknown") return undefined;
  const { name } = node.metadata;
  // Two fingerprints and what they may mean are told with the Node, and not of all that is on it.
  if (ready.reason === "HostKeyChanged") return `Node "${name}" is not asked, as its host key has changed; 'vendetta node status ${name}' tells more`;
  return `Node "${name}" cannot be asked: ${ready.message}`;
}

/**
 * Whether a failure says only that a far machine has been silent for a moment. Its connection may live, and the Node's own
 * loop decides when silence is more than that; until then everything stays as it was last seen.
 */
export async function isSilence(error: unknown, { remote }: Machine, signal: AbortSignal): Promise<boolean> {
  return remote !== undefined && remote.state.trouble === undefined && isTimeout(error) && (await remote.isSilent(signal));
}

/** For a person, when nothing came of asking a machine that does answer: what may be in the way there. */
export function describeFailure(error: unknown, { remote }: Machine): string {
  return remote === undefined || !isTimeout(error) ? messageOf(error) : `${messageOf(error)}; the machine itself answers: perhaps all sessions that its sshd allows on one connection are in use (MaxSessions in its sshd_config)`;
}

function isTimeout(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof TimeoutError) return true;
  return false;
}
