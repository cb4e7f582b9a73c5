import { spawn, type ChildProcess } from "node:child_process";
import { setMaxListeners } from "node:events";
import { createServer, connect } from "node:net";
import { homedir } from "node:os";
import { Readable, Writable, type Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { createLocalFiles } from "./local-files.ts";
import { listenHere } from "./local-listen.ts";
import { terminalArgv, terminalWindow } from "./local-terminal.ts";
import { runCommand } from "./run-command.ts";
import { whyNotStarted } from "./why-not-started.ts";
import { TransportError, type DialTarget, type ExecStream, type ExitStatus, type Transport } from "./transport.ts";

/** Between asking a cancelled command to end and forcing it. */
const cancelGraceMs = 200;

/** This machine. Commands run in sessions of their own, so that ending one ends all that it started there. */
export function createLocalTransport({ clock }: { readonly clock: Clock }): Transport {
  const running = new Set<ChildProcess>();
  const connections = new Set<Duplex>();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  let closed = false;
  const keep = (socket: Duplex) => {
    // Whoever it is for may not listen yet.
    socket.on("error", () => {});
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  };

  const start = async (argv: readonly string[], options: Parameters<Transport["exec"]>[1]): Promise<ChildProcess> => {
    const { tty } = options;
    // With a terminal it is a shell that starts it, and its words would be the command's.
    const trouble = tty === undefined ? undefined : await startTrouble(argv[0]!, options);
    if (trouble !== undefined) throw trouble;
    if (closed) throw new TransportError("the way to this machine is closed", false);
    const [program, ...args] = tty === undefined ? argv : terminalArgv(argv, tty);
    return await new Promise((resolve, reject) => {
      const child = spawn(program!, args, { cwd: workingDirOf(options), env: environmentOf(options), detached: true, stdio: ["pipe", "pipe", "pipe"] });
      const failed = (error: Error) => new TransportError(`cannot start ${argv[0]}: ${messageOf(error)}`, false, { cause: error });
      child.once("error", (error) => void startTrouble(argv[0]!, options).then((known) => reject(known ?? failed(error)), () => reject(failed(error))));
      child.once("spawn", () => {
        running.add(child);
        child.once("exit", () => running.delete(child));
        resolve(child);
      });
    });
  };

  const exec: Transport["exec"] = async (argv, options) => {
    options.signal?.throwIfAborted();
    const child = await start(argv, options);
    const kill = (name: NodeJS.Signals) => killSession(child, name);
    const cancel = () => {
      kill("SIGTERM");
      clock.after(cancelGraceMs, () => kill("SIGKILL"));
    };
    // An end of the command closes its stdin; whoever still writes then need not be told twice.
    child.stdin!.on("error", () => child.stdin!.destroy());
    const exit = new Promise<ExitStatus>((resolve, reject) => {
      child.once("close", (code, signal) => {
        options.signal?.removeEventListener("abort", cancel);
        if (options.signal?.aborted) reject(options.signal.reason as Error);
        else resolve({ code: code ?? undefined, signal: signal ?? undefined });
      });
    });
    // Marked as handled: a caller that gave up on the stream may never ask for its end.
    exit.catch(() => {});
    if (options.signal?.aborted) cancel();
    else options.signal?.addEventListener("abort", cancel, { once: true });
    return {
      stdin: child.stdin as Writable,
      stdout: child.stdout as Readable,
      stderr: options.tty === undefined ? (child.stderr as Readable) : Readable.from([]),
      exit,
      kill: (signal = "SIGTERM") => kill(signal),
      ...(options.tty === undefined ? {} : { resize: terminalWindow(clock, child) }),
    } satisfies ExecStream;
  };

  return {
    name: "this machine",
    exec,
    run: (argv, options) => runCommand(clock, exec, argv, options),
    async dial(target, signal) {
      if (closed) throw new TransportError("the way to this machine is closed", false);
      const socket = await dial(target, signal);
      keep(socket);
      return socket;
    },
    async listen(port, onConnection, signal) {
      if (closed) throw new TransportError("the way to this machine is closed", false);
      const onSocket = (socket: Duplex) => {
        keep(socket);
        onConnection(socket);
      };
      return await listenHere(port, onSocket, AbortSignal.any([signal, closing.signal]));
    },
    isPortFree: (port) =>
      new Promise((resolve, reject) => {
        const server = createServer();
        server.once("error", (error) => (codeOf(error) === "EADDRINUSE" || codeOf(error) === "EACCES" ? resolve(false) : reject(new TransportError(`cannot try port ${port}: ${messageOf(error)}`, false, { cause: error }))));
        server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
      }),
    files: createLocalFiles(),
    async close() {
      closed = true;
      closing.abort(new TransportError("the way to this machine is closed", false));
      for (const socket of connections) socket.destroy();
      await Promise.all([...running].map((child) => new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        killSession(child, "SIGKILL");
      })));
    },
  };
}

function killSession(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

type StartOptions = Parameters<Transport["exec"]>[1];

const workingDirOf = ({ cwd }: StartOptions) => cwd ?? homedir();
const environmentOf = ({ env }: StartOptions): NodeJS.ProcessEnv => ({ ...process.env, ...env });

/** Why a command cannot be started, in the contract's words; undefined when nothing is known to be in the way. */
async function startTrouble(program: string, options: StartOptions): Promise<TransportError | undefined> {
  const cwd = workingDirOf(options);
  const code = await whyNotStarted(program, cwd, environmentOf(options)["PATH"] ?? "/usr/bin:/bin");
  if (code === undefined) return undefined;
  const why = { ENOTDIR: `there is no directory ${cwd}`, ENOENT: "there is no such program", EACCES: "it is no program that can be run" }[code];
  return new TransportError(`cannot start ${program}: ${why}`, false, { cause: Object.assign(new Error(why), { code }) });
}

function dial(target: DialTarget, signal: AbortSignal): Promise<Duplex> {
  const where = "socketPath" in target ? target.socketPath : `${target.host}:${target.port}`;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const socket = connect({ allowHalfOpen: true, ...("socketPath" in target ? { path: target.socketPath } : { host: target.host, port: target.port, noDelay: true }) });
    const onAbort = () => {
      socket.destroy();
      reject(signal.reason as Error);
    };
    const onError = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      reject(new TransportError(`cannot connect to ${where}: ${codeOf(error) === "ECONNREFUSED" ? "connection refused" : messageOf(error)}`, false, { cause: error }));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}
