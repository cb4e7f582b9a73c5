import { timeoutSignal } from "../../base/clock.ts";
import { runCommand } from "../run-command.ts";
import type { Transport } from "../transport.ts";
import { createSessionKeepers } from "./session-keepers.ts";
import { askAlive } from "./ssh-connection.ts";
import { createSshDial } from "./ssh-dial.ts";
import { createSshExec } from "./ssh-exec.ts";
import { createSshFiles } from "./ssh-files.ts";
import { createSshListen } from "./ssh-listen.ts";
import { createSshLink, type SshState } from "./ssh-link.ts";
import { createIsPortFree } from "./ssh-ports.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";
import { untilAborted } from "../../base/until-aborted.ts";

/** A machine over one SSH connection, with nothing installed on it. */
export interface SshTransport extends Transport {
  readonly state: SshState;
  /** Sessions at once that the machine is thought to allow on one connection. */
  readonly sessionsLimit: number;
  /** Called with each change, and after each answered keepalive. */
  onState(listener: (state: SshState) => void): Disposable;
  /** Resolves when there is a connection. Everything else makes one by itself. @throws SshError, the signal's reason */
  connect(signal: AbortSignal): Promise<void>;
  /** Asks the connection there is whether the machine still answers; takes no session. @throws SshError, TimeoutError, the signal's reason */
  ping(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

/** Nothing is connected before the first use. */
export function createSshTransport(options: SshOptions): SshTransport {
  const { clock } = options;
  const link = createSshLink(options);
  const keepers = createSessionKeepers(options);
  const { exec, end } = createSshExec(options, link, keepers);
  const run: Transport["run"] = (argv, runOptions) => runCommand(clock, exec, argv, runOptions);
  const { dial, end: endDialed } = createSshDial(options, link, exec);
  const { listen, end: endListeners } = createSshListen(options, link, run);
  return {
    name: `ssh ${nameOfMachine(options)}`,
    get state() {
      return link.state;
    },
    get sessionsLimit() {
      return link.sessionsLimit;
    },
    onState: (listener) => link.onState(listener),
    connect: (signal) => link.use(() => Promise.resolve(), signal),
    async ping(timeoutMs, signal) {
      using bound = timeoutSignal(clock, timeoutMs, `asking ${nameOfMachine(options)} whether it answers`, signal);
      await link.use((connection) => untilAborted(connection.unlessLost(askAlive(connection.client), false), bound.signal), bound.signal);
    },
    exec,
    run,
    dial,
    listen,
    isPortFree: createIsPortFree(options, link, run),
    files: createSshFiles(options, link, exec, run),
    async close() {
      link.refuse();
      endDialed();
      endListeners();
      await end();
      await keepers.close();
      link.close();
    },
  };
}
