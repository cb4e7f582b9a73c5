/** Our own code broke its own rule. Trouble in the world is never this: that is data, or an error with a next step. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Stays on in production. `message` names the invariant: `assert(!out.has(key), "INV-2: key handed out twice")`. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a switch over a union: the compiler refuses it when a member is not handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
