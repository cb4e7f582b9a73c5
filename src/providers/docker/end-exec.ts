import type Docker from "dockerode";
import { sleep, type Clock } from "../../base/clock.ts";
import type { Transport } from "../../transports/transport.ts";
import { statusOf } from "./docker-client.ts";

export interface EndExecParts {
  readonly docker: Docker;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Aborts when the way to the engine is given up for good. */
  readonly closing?: AbortSignal | undefined;
}

/** A command that was asked for a moment ago has no pid yet: asked this often, this many times. */
const pidPollMs = 10;
const pidPollsMax = 200;
/** Between two attempts to end what nobody holds any more: this long at first, twice as long each time. */
const retryMs = 250;
const retryMsMax = 15_000;
/** The machine may be away for long, and then for good: the command is left to whoever brings it back. */
const abandonedMsMax = 24 * 3_600_000;

/**
 * Signals a command, and its process group if it leads one. The engine has no call for this. It tells the pid as its node
 * counts; the kernel there tells the same process's pid as the container counts, and that one can be signalled from inside,
 * with no right on the node beyond reading /proc. "over": it has ended, or was never begun.
 * @throws what the engine or the transport throw
 */
export async function signalExec({ docker, transport, clock }: EndExecParts, exec: Docker.Exec, id: string, name: "SIGTERM" | "SIGKILL"): Promise<"signalled" | "over"> {
  let Pid = 0;
  for (let i = 0; i < pidPollsMax && Pid === 0; i++) {
    const told = (await exec.inspect()) as { Pid: number; Running: boolean; ExitCode: number | null };
    if (!told.Running && told.ExitCode !== null) return "over";
    Pid = told.Pid;
    if (Pid === 0) await sleep(clock, pidPollMs);
  }
  if (Pid === 0) return "over";
  const status = Buffer.from(await transport.files.read(`/proc/${Pid}/status`, 64 * 1024)).toString("utf8");
  const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
  if (inner === undefined) return "over";
  const script = `kill -${name.slice(3)} -${inner} 2>/dev/null || kill -${name.slice(3)} ${inner}`;
  const killer = await docker.getContainer(id).exec({ Cmd: ["sh", "-c", script], User: "0" });
  await killer.start({ Detach: true });
  return "signalled";
}

/**
 * Ends a command to which the way was lost: the engine lets it run on. Asked first, then forced, again and again until
 * the engine says that it is over. Never rejects.
 */
export async function endAbandonedExec(parts: EndExecParts, exec: Docker.Exec, id: string): Promise<void> {
  const { clock, closing } = parts;
  const begunMs = clock.monotonic();
  let name: "SIGTERM" | "SIGKILL" = "SIGTERM";
  for (let waitMs = retryMs; clock.monotonic() - begunMs < abandonedMsMax; waitMs = Math.min(waitMs * 2, retryMsMax)) {
    try {
      if ((await signalExec(parts, exec, id, name)) === "over") return;
      name = "SIGKILL";
    } catch (error) {
      // The container has gone, and the command with it. Anything else: there is no way yet.
      if (statusOf(error) === 404) return;
    }
    try {
      await sleep(clock, waitMs, closing);
    } catch {
      return;
    }
  }
}
