import { once } from "node:events";
import { Readable } from "node:stream";
import type { ClientChannel, PseudoTtyOptions } from "ssh2";
import { sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { untilAborted } from "../../base/until-aborted.ts";
import { TransportError, type ExecStream, type Transport } from "../transport.ts";
import type { ChannelEnd } from "./channel-end.ts";
import { readableOf, writableOf } from "./channel-streams.ts";
import { awaitStart, ShellEnded } from "./command-start.ts";
import { fileFailure } from "./file-error.ts";
import { openExec } from "./open-exec.ts";
import { bootstrap, commandScript, type CommandScript, type StartFailure } from "./remote-script.ts";
import type { SessionKeepers } from "./session-keepers.ts";
import { createShellSessions, shellOf, type ShellSession } from "./shell-sessions.ts";
import type { SshConnection } from "./ssh-connection.ts";
import type { SshLink } from "./ssh-link.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";

/** Between asking a cancelled command to end and forcing it. */
const cancelGraceMs = 200;
/** After it was forced: then its channel is closed, whether or not it said a last word. */
const cancelMsMax = 5000;
/** After a command has begun, the next one's shell is opened when it has ended, or after this long. */
const prepareMsMax = 50;
/** For all commands to end when the transport is closed. */
const endMsMax = 3000;

type ExecOptions = Parameters<Transport["exec"]>[1];
type SignalName = "SIGTERM" | "SIGKILL";

interface Running {
  readonly ended: Promise<unknown>;
  kill(name: SignalName): Promise<void>;
}

/** `Transport.exec` over a link. */
export interface SshExec {
  readonly exec: Transport["exec"];
  /** Forces what runs to end. Resolves when it has, or is given up. */
  end(): Promise<void>;
}

export function createSshExec(options: SshOptions, link: SshLink, keepers: SessionKeepers): SshExec {
  const { clock, random } = options;
  const where = nameOfMachine(options);
  const shells = createShellSessions(clock);
  const running = new Set<Running>();

  const start = async (connection: SshConnection, argv: readonly string[], command: ExecOptions): Promise<ExecStream> => {
    const { tty, signal } = command;
    await keepers.of(connection, signal);
    if (tty !== undefined) return await begin(connection, argv, command, shellOf(await openExec(connection, bootstrap, terminalOf(tty), signal)));
    const shell = await shells.take(connection, signal);
    try {
      return await begin(connection, argv, command, shell);
    } catch (error) {
      if (!(shell.isSpare && error instanceof ShellEnded)) throw error;
    }
    return await begin(connection, argv, command, await shells.open(connection, signal));
  };

  const begin = async (connection: SshConnection, argv: readonly string[], { env = {}, cwd, tty, signal }: ExecOptions, { channel, end }: ShellSession): Promise<ExecStream> => {
    const nonce = random.uuid();
    // Asked for again: it gives its session up where the machine allows one only.
    const keeper = await keepers.of(connection, undefined);
    const script = scriptOf({ argv, cwd, env, tty: tty !== undefined, nonce, keeperDir: keeper?.dir }, where);
    if (typeof script !== "string") {
      channel.close();
      throw script;
    }
    // From here on nobody can tell whether it ran, unless it says so itself.
    channel.write(`${script}\n`);
    const begun = await awaitStart({ clock, connection, channel, nonce, hasStderr: tty === undefined, end, signal, where, program: argv[0]! });
    if (typeof begun === "string") {
      if (begun === "abandoned") keepers.drop(connection);
      throw startFailure(begun, argv[0]!, cwd, where);
    }
    // Not while it is quick about it itself.
    const prepare = clock.after(prepareMsMax, () => shells.prepare(connection));
    void end.closed.then(() => {
      prepare[Symbol.dispose]();
      shells.prepare(connection);
    });
    keeper?.remember(begun);
    void end.closed.then(() => keeper?.forget(begun));

    const stdin = writableOf(channel);
    const stdout = readableOf(channel);
    const stderr = tty === undefined ? readableOf(channel.stderr) : drained(channel);
    const kill = killer(connection, (name) => keepers.kill(connection, begun, name), end);
    let giveUp = () => {};
    const givenUp = new Promise<void>((resolve) => (giveUp = resolve));
    const cancel = () => {
      void kill("SIGTERM");
      clock.after(cancelGraceMs, () => void kill("SIGKILL"));
      const last = clock.after(cancelGraceMs + cancelMsMax, () => {
        for (const each of [stdin, stdout, stderr, channel]) each.destroy();
        giveUp();
      });
      void end.closed.then(() => last[Symbol.dispose]());
    };
    // What nobody has begun to read when the command has ended is dropped, as with a child process of one's own.
    void end.exited.then(() => clock.after(0, () => [stdout, stderr].forEach((each) => each.readableFlowing === null && each.resume())));
    const handedOn = Promise.all([end.closed, closeOf(stdout), closeOf(stderr)]);
    const exit = connection.unlessLost(Promise.race([handedOn, givenUp]), true).then(
      () => {
        if (signal?.aborted) throw signal.reason;
        if (end.status === undefined) throw new TransportError(`${argv[0]} on ${where} ended without saying how`, true);
        return end.status;
      },
      (error: unknown) => {
        throw signal?.aborted === true ? signal.reason : error;
      },
    );
    const entry: Running = { ended: exit, kill };
    running.add(entry);
    // Marked as handled, too: a caller that gave up on the stream may never ask for its end.
    exit.catch(() => {}).finally(() => {
      running.delete(entry);
      signal?.removeEventListener("abort", cancel);
    });
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
    return {
      stdin,
      stdout,
      stderr,
      exit,
      kill: (name = "SIGTERM") => void kill(name),
      ...(tty === undefined ? {} : { resize: (columns: number, rows: number) => channel.setWindow(rows, columns, 0, 0) }),
    };
  };

  return {
    // Whoever gives up waits for no answer of a machine that is silent. What is begun by then ends by the same signal as soon as it answers.
    exec: (argv, execOptions) => untilAborted(link.use((connection) => start(connection, argv, execOptions), execOptions.signal), execOptions.signal),
    async end() {
      const all = [...running];
      const ended = Promise.all(all.map(async ({ kill, ended: each }) => (await kill("SIGKILL"), await each.catch(() => {}))));
      const over = new AbortController();
      // The machine ends what a connection leaves.
      await Promise.race([sleep(clock, endMsMax, over.signal).catch(() => {}), ended]);
      over.abort();
    },
  };
}

/** Signals it until it has ended. */
function killer(connection: SshConnection, kill: (name: SignalName) => Promise<void>, end: ChannelEnd) {
  let isOver = false;
  void end.closed.then(() => (isOver = true));
  return async (name: SignalName) => {
    if (!isOver && !connection.lost.aborted) await kill(name);
  };
}

function scriptOf(script: CommandScript, where: string): string | TransportError {
  if (script.argv.length === 0) return new TransportError(`cannot start a command without a name on ${where}`, false);
  try {
    return commandScript(script);
  } catch (error) {
    return new TransportError(`cannot start ${script.argv[0]} on ${where}: ${messageOf(error)}`, false, { cause: error });
  }
}

/** Without echo and lines, so that the script is neither shown nor cut at the 4096 bytes of a line; the script turns both on. */
const terminalOf = ({ columns, rows }: NonNullable<ExecOptions["tty"]>): PseudoTtyOptions => ({ cols: columns, rows, term: "xterm-256color", modes: { ECHO: 0, ICANON: 0 } }) as PseudoTtyOptions;

function startFailure(failure: StartFailure, program: string, cwd: string | undefined, where: string): TransportError {
  const failed = (why: string, code?: string) => new TransportError(`cannot start ${program} on ${where}: ${why}`, false, code === undefined ? {} : { cause: fileFailure(code) });
  switch (failure) {
    case "directory":
      return failed(`there is no directory ${cwd}`, "ENOTDIR");
    case "program":
      return failed("there is no such program", "ENOENT");
    case "executable":
      return failed("it is no program that can be run", "EACCES");
    case "terminal":
      return failed("it needs stty for a terminal, and the machine has none");
    case "abandoned":
      return failed("the connection was given up before it began");
  }
}

const closeOf = (stream: Readable) => (stream.closed ? Promise.resolve() : once(stream, "close").then(() => {}));

/** With a terminal there is nothing on stderr. */
function drained(channel: ClientChannel): Readable {
  channel.stderr.resume();
  return Readable.from([]);
}
