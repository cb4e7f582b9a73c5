import type { ClientChannel } from "ssh2";
import type { ExitStatus } from "../transport.ts";

/** How a channel ends. */
export interface ChannelEnd {
  /** The command itself has ended; what it started may still hold its outputs. */
  readonly exited: Promise<void>;
  readonly closed: Promise<void>;
  readonly isClosed: boolean;
  readonly status: ExitStatus | undefined;
}

/** To be asked right after the channel was opened: a quick command ends soon. */
export function endOf(channel: ClientChannel): ChannelEnd {
  let status: ExitStatus | undefined;
  let isClosed = false;
  return {
    exited: new Promise((resolve) => {
      channel.once("exit", (code: number | null, signal?: string) => {
        status = { code: code ?? undefined, signal: code === null ? signal : undefined };
        resolve();
      });
    }),
    closed: new Promise((resolve) => {
      channel.once("close", () => {
        isClosed = true;
        resolve();
      });
    }),
    get isClosed() {
      return isClosed;
    },
    get status() {
      return status;
    },
  };
}
