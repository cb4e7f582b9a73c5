import { PassThrough, Writable, type Duplex } from "node:stream";
import type Docker from "dockerode";
import { sleep, type Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { followLatest } from "../../base/follow-latest.ts";
import { TransportError, type ExecStream, type ExitStatus, type Transport } from "../../transports/transport.ts";
import type { InstanceExecOptions } from "../provider.ts";
import { callEngine } from "./docker-client.ts";

export interface DockerExecParts {
  readonly docker: Docker;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly socketPath: string;
}

/** The engine closes an exec's stream a moment before it knows the exit code; asked this often, this many times. */
const exitPollMs = 10;
const exitPollsMax = 200;
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
  const stream = await callEngine(socketPath, signal, () => exec.start({ hijack: true, stdin: true, Tty: tty !== undefined }));
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const ended = streamEnd(stream);
  if (tty === undefined) demultiplex(stream, stdout, stderr);
  else {
    stderr.end();
    stream.pipe(stdout);
  }
  const resize = windowOf(parts, exec);
  if (tty !== undefined) resize(tty.columns, tty.rows);
  const kill = (name: "SIGTERM" | "SIGKILL" = "SIGTERM") => void killExec(parts, exec, id, name).catch(() => stream.destroy());
  const onAbort = () => kill("SIGKILL");
  signal?.addEventListener("abort", onAbort, { once: true });
  const exit = ended.then(async () => {
    signal?.removeEventListener("abort", onAbort);
    if (signal?.aborted) throw signal.reason;
    return exitStatus(parts, exec);
  });
  // A caller that gave up on the stream may never ask for its end.
  exit.catch(() => {});
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
function demultiplex(stream: Duplex, stdout: PassThrough, stderr: PassThrough): void {
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

async function exitStatus({ clock }: DockerExecParts, exec: Docker.Exec): Promise<ExitStatus> {
  for (let i = 0; i < exitPollsMax; i++) {
    const { Running, ExitCode } = await exec.inspect();
    if (!Running && ExitCode !== null) return { code: ExitCode, signal: undefined };
    await sleep(clock, exitPollMs);
  }
  throw new TransportError("the engine does not tell how the command ended", true);
}

/**
 * The engine has no call for this. It tells the pid as its node counts; the kernel there tells the same process's pid as
 * the container counts, and that one can be signalled from inside, with no right on the node beyond reading /proc.
 */
async function killExec({ docker, transport, clock }: DockerExecParts, exec: Docker.Exec, id: string, name: "SIGTERM" | "SIGKILL"): Promise<void> {
  let Pid = 0;
  // A command that was asked for a moment ago has no pid yet.
  for (let i = 0; i < exitPollsMax && Pid === 0; i++) {
    const told = (await exec.inspect()) as { Pid: number; Running: boolean; ExitCode: number | null };
    if (!told.Running && told.ExitCode !== null) return;
    Pid = told.Pid;
    if (Pid === 0) await sleep(clock, exitPollMs);
  }
  if (Pid === 0) return;
  const status = Buffer.from(await transport.files.read(`/proc/${Pid}/status`, 64 * 1024)).toString("utf8");
  const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
  if (inner === undefined) return;
  const script = `kill -${name.slice(3)} -${inner} 2>/dev/null || kill -${name.slice(3)} ${inner}`;
  const killer = await docker.getContainer(id).exec({ Cmd: ["sh", "-c", script], User: "0" });
  await killer.start({ Detach: true });
}
