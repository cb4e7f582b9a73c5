import { messageOf } from "../base/errors.ts";
import { SshError } from "../transports/ssh/ssh-error.ts";
import { AccessError, type AccessFailure } from "./access.ts";

const failures: Readonly<Record<string, AccessFailure>> = { Unreachable: "Unreachable", HandshakeFailed: "Unreachable", HostKeyRefused: "HostKeyRefused", AuthenticationFailed: "LoginRefused" };

/** What went wrong on the way to a machine. An abort of the user's stays what it is. */
export function accessErrorOf(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted && error instanceof Error) return error;
  if (error instanceof AccessError) return error;
  return new AccessError(messageOf(error), { cause: error, failure: error instanceof SshError ? (failures[error.failure] ?? "Other") : "Other" });
}
