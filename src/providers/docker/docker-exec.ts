import { PassThrough, Writable, type Duplex } from "node:stream";
import type Docker from "dockerode";
import { sleep, TimeoutError, timeoutSignal } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { followLatest } from "../../base/follow-latest.ts";
import { TransportError, type ExecStream, type ExitStatus } from "../../transports/transport.ts";
import type { InstanceExecOptions } from "../provider.ts";
import { callEngine, statusOf } from "./docker-client.ts";
import { startFailureFilter, startFailureOf } from "./exec-start-failure.ts";
import { endAbandonedExec, signalExec, type EndExecParts } from "./end-exec.ts";

export interface DockerExecParts extends EndExecParts {
  readonly socketPath: string;
}

/** The engine closes an exec's stream a moment before it knows the exit code; asked this often, this many times. */
const exitPollMs = 10;
const exitPollsMax = 200;
/** For one answer to that question; … */
const exitAnswerMsMax = 10_000;
/** … a far machine may be silent for a while, and the code is worth waiting for as long as its connection is: about two minutes. */
const exitSilencesMax = 12;
const resizesMax = 40;
const resizeRetryMs = 50;

/** Runs a command in a container, with its streams apart (or one terminal) and its exit code. */
export async function execInContainer(parts: DockerExecParts, id: string, argv: readonly string[], options: InstanceExecOptions): Promise<ExecStream> {
  const { docker, socketPath } = parts;
  const { env = {}, workingDir, user, tty, signal } = options;
  const exec = await callEngine(socketPath, signal, () =>
    docker.getContainer(id).exec({
      Cmd: [...argv], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty !== undefined,
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
      ...(user === undefined ? {} : { User: user }),
    }),
  );
  const abandon = () => void endAbandonedExec(parts, exec, id);
  const stream = await callEngine(socketPath, signal, () => exec.start({ hijack: true, stdin: true, Tty: tty !== undefined })).catch((error: unknown) => {
    // Without an answer it may have begun all the same.
    if (statusOf((error as Error).cause) === undefined) abandon();
    throw error;
  });
  const ended = streamEnd(stream);
  const end = ended.then(() => {
    signal?.removeEventListener("abort", onAbort);
    if (signal?.aborted) throw signal.reason;
    return exitStatus(parts, exec);
  });
  const { stdout, held, settled } = startFailureFilter(async () => startFailure(await end) !== undefined);
  const startFailure = ({ ran }: End) => (ran ? undefined : startFailureOf(held(), id, argv[0] ?? "", workingDir));
  const stderr = new PassThrough();
  if (tty === undefined) demultiplex(stream, stdout, stderr);
  else {
    stderr.end();
    stream.pipe(stdout);
    stream.once("close", () => stdout.end());
  }
  const resize = windowOf(parts, exec);
  if (tty !== undefined) resize(tty.columns, tty.rows);
  const kill = (name: "SIGTERM" | "SIGKILL" = "SIGTERM") =>
    void signalExec(parts, exec, id, name).catch(() => {
      if (!stream.destroyed) stream.destroy();
      abandon();
    });
  const onAbort = () => kill("SIGKILL");
  signal?.addEventListener("abort", onAbort, { once: true });
  // The caller gave up while it was being begun.
  if (signal?.aborted) onAbort();
  // A stream that broke leaves the command running; one that ended has none any more.
  ended.catch(abandon);
  const exit = end.then(async (how) => {
    const failure = startFailure(how);
    if (failure !== undefined) throw failure;
    // Its output is all handed on before its end is told.
    if (held() !== "") await settled;
    return how.status;
  });
  // A caller that gave up on the stream may never ask for its end.
  for (const each of [end, exit]) each.catch(() => {});
  return { stdin: stdinOf(stream, tty !== undefined), stdout, stderr, exit, kill, ...(tty === undefined ? {} : { resize }) };
}

/** The engine refuses until the command has come up, a moment after its stream did; once it has ended, nobody looks at its window. */
function windowOf({ clock }: DockerExecParts, exec: Docker.Exec): (columns: number, rows: number) => void {
  const set = followLatest<{ readonly w: number; readonly h: number }>(clock, async (size) => void (await exec.resize(size)), { retryMs: resizeRetryMs, triesMax: resizesMax });
  return (columns, rows) => set({ w: columns, h: rows });
}

function streamEnd(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
    stream.once("error", (error) => reject(new TransportError(`the stream to the command broke: ${messageOf(error)}`, true, { cause: error })));
  });
}

/**
 * Ending it closes only our half of the connection, which the engine passes on as end of input. With a terminal it would
 * drop the output as well; there the end of input is a character, as when a person types Ctrl-D.
 */
function stdinOf(stream: Duplex, terminal: boolean): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (stream.writable) stream.write(chunk, (error) => done(error ?? null));
      else done();
    },
    final: (done) => {
      if (terminal) stream.write("\x04");
      else stream.end();
      done();
    },
  });
}

/**
 * Docker's framing: one byte stream number, three zero, four bytes length, payload. docker-modem's own demultiplexer keeps
 * no back-pressure, and a command may write faster than anybody reads.
 * Source: Engine API, "Attach to a container", stream format.
 */
function demultiplex(stream: Duplex, stdout: Writable, stderr: Writable): void {
  const head = Buffer.alloc(8);
  let headBytes = 0;
  let left = 0;
  let out = stdout;
  stream.on("data", (data: Buffer) => {
    let at = 0;
    while (at < data.length) {
      if (left === 0) {
        const taken = data.copy(head, headBytes, at, at + 8 - headBytes);
        at += taken;
        headBytes += taken;
        if (headBytes < 8) break;
        headBytes = 0;
        out = head[0] === 2 ? stderr : stdout;
        left = head.readUInt32BE(4);
        continue;
      }
      const part = data.subarray(at, at + left);
      at += part.length;
      left -= part.length;
      if (!out.write(part)) {
        stream.pause();
        out.once("drain", () => stream.resume());
      }
    }
  });
  const finish = () => {
    stdout.end();
    stderr.end();
  };
  stream.once("end", finish);
  stream.once("close", finish);
  stream.once("error", finish);
}

interface End {
  readonly status: ExitStatus;
  /** Whether there ever was a process. */
  readonly ran: boolean;
}

async function exitStatus({ clock }: DockerExecParts, exec: Docker.Exec): Promise<End> {
  let silences = 0;
  for (let i = 0; i < exitPollsMax; i++) {
    using bound = timeoutSignal(clock, exitAnswerMsMax, "asking the engine how the command ended");
    try {
      const { Running, ExitCode, Pid } = await exec.inspect({ abortSignal: bound.signal });
      if (!Running && ExitCode !== null) return { status: { code: ExitCode, signal: undefined }, ran: Pid !== 0 };
    } catch (error) {
      if (!(error instanceof TimeoutError || bound.signal.aborted) || ++silences >= exitSilencesMax) throw error;
    }
    await sleep(clock, exitPollMs);
  }
  throw new TransportError("the engine does not tell how the command ended", true);
}
