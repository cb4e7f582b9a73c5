import { connect } from "node:net";
import type { IncomingMessage } from "node:http";
import { Readable, Writable } from "node:stream";
import { WebSocket } from "ws";
import { messageOf } from "../base/errors.ts";
import { commandChannels, commandProtocols, exitOfStatus, type CommandStatus } from "../api/remote-command.ts";
import { StatusError } from "../api/status-error.ts";
import { connectionError, statusErrorOf } from "./http-client.ts";

const handshakeMsMax = 60_000;
const errorBytesMax = 64 * 1024;

/** A command that runs somewhere, by way of the server. */
export interface RemoteCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The exit code. @throws StatusError when the way to the command broke; the signal's reason */
  readonly exit: Promise<number>;
  resize(columns: number, rows: number): void;
}

export interface RemoteCommandOptions {
  readonly socketPath: string;
  readonly userAgent: string;
  /** With its query. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the connection and resolves once the command runs. `signal` ends it. @throws StatusError */
export async function openRemoteCommand({ socketPath, userAgent, path, signal }: RemoteCommandOptions): Promise<RemoteCommand> {
  signal?.throwIfAborted();
  const socket = new WebSocket(`ws://vendetta${path}`, commandProtocols[0], {
    // The address decides where others connect; here it is always the server's socket.
    createConnection: () => connect({ path: socketPath }),
    headers: { "user-agent": userAgent }, perMessageDeflate: false, handshakeTimeout: handshakeMsMax,
  });
  socket.binaryType = "nodebuffer";
  const onAbort = () => socket.terminate();
  signal?.addEventListener("abort", onAbort, { once: true });
  socket.once("close", () => signal?.removeEventListener("abort", onAbort));
  const command = streamsOf(socket, signal);
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (_request, response) => {
      refusalOf(response).then(reject, reject).finally(() => socket.terminate());
    });
    socket.on("error", (error) => reject(connectionError(error, socketPath, signal)));
  });
  return command;
}

async function refusalOf(response: IncomingMessage): Promise<StatusError> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) text = (text + chunk).slice(0, errorBytesMax);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 500) };
  }
  return statusErrorOf(body, response.statusCode ?? 500);
}

function streamsOf(socket: WebSocket, signal: AbortSignal | undefined): RemoteCommand {
  const resume = () => socket.resume();
  const stdout = new Readable({ read: resume });
  const stderr = new Readable({ read: resume });
  let status: CommandStatus | undefined;
  socket.on("message", (data: Buffer) => {
    const bytes = data.subarray(1);
    if (data[0] === commandChannels.error) status = JSON.parse(bytes.toString("utf8")) as CommandStatus;
    const out = data[0] === commandChannels.stdout ? stdout : data[0] === commandChannels.stderr ? stderr : undefined;
    if (out !== undefined && bytes.length > 0 && !out.push(bytes)) socket.pause();
  });
  const exit = new Promise<number>((resolve, reject) => {
    socket.once("close", (_code, why) => {
      stdout.push(null);
      stderr.push(null);
      const code = status === undefined ? undefined : exitOfStatus(status);
      if (code !== undefined) resolve(code);
      else if (signal?.aborted) reject(signal.reason as Error);
      else reject(new StatusError("ServiceUnavailable", `The connection to the command broke: ${status?.message ?? (why.length > 0 ? why.toString() : "the server closed it")}`));
    });
  });
  // A caller that failed to connect never asks.
  exit.catch(() => {});
  const send = (channel: number, bytes: Buffer, done: (error?: Error | null) => void) => {
    // What is written after the command's end goes nowhere, as in a pipe that nobody minds.
    if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.concat([Buffer.of(channel), bytes]), (error) => done(error ? new Error(messageOf(error)) : null));
    else done();
  };
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => send(commandChannels.stdin, chunk, done),
    final: (done) => send(commandChannels.close, Buffer.of(commandChannels.stdin), done),
  });
  stdin.on("error", () => socket.terminate());
  return { stdin, stdout, stderr, exit, resize: (columns, rows) => send(commandChannels.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows })), () => {}) };
}
