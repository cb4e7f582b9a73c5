import { codeOf, messageOf } from "../base/errors.ts";
import { TransportError } from "../transports/transport.ts";
import { ProviderError } from "./provider.ts";

const reasons: Readonly<Record<string, string>> = { ENOENT: "CommandNotFound", EACCES: "CommandNotExecutable", ENOTDIR: "DirectoryNotFound" };

/** What a transport's refusal to start a command means where the command was to run inside of an instance; any other error as it is. */
export function whyNotRun(error: unknown): unknown {
  const reason = error instanceof TransportError ? reasons[codeOf(error.cause) ?? ""] : undefined;
  return reason === undefined ? error : new ProviderError(reason, messageOf(error), true, { cause: error });
}
