import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type Client } from "ssh2";
import { timeoutSignal } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { batchWrites } from "./batch-writes.ts";
import { processHandshakeGate } from "./handshake-gate.ts";
import { algorithmsFor, hostKeyOf, refusalOf } from "./host-key.ts";
import { SshError } from "./ssh-error.ts";
import { createLogin } from "./ssh-login.ts";
import { handshakeMsMax, nameOfMachine, type SshOptions } from "./ssh-options.ts";

export interface Handshake {
  readonly client: Client;
  /** What carries the client's bytes. */
  readonly socket: Duplex;
}

/**
 * Connects, verifies the host key before anything secret is sent, and logs in.
 * @throws SshError (mayHaveRun false), the signal's reason
 */
export async function shakeHands(options: SshOptions, signal: AbortSignal): Promise<Handshake> {
  const { host, port = 22, clock, gate = processHandshakeGate } = options;
  using bound = timeoutSignal(clock, options.handshakeMsMax ?? handshakeMsMax, `connecting to ${nameOfMachine(options)}`, signal);
  try {
    using _turn = await gate.enter(options.through === undefined ? `${host}:${port}` : `${host}:${port} through ${options.through.name}`, bound.signal);
    const socket = await reach(options, bound.signal);
    batchWrites(socket);
    return { client: await logIn(options, socket, bound.signal), socket };
  } catch (error) {
    // Our own bound, not the caller's: that the machine does not answer is what happened.
    if (bound.signal.aborted && !signal.aborted && error === bound.signal.reason) throw new SshError("Unreachable", `cannot connect to ${nameOfMachine(options)}: ${messageOf(error)}`, false, { cause: error });
    throw error;
  }
}

/** The bytes' way to the machine's sshd. */
async function reach(options: SshOptions, signal: AbortSignal): Promise<Duplex> {
  const { host, port = 22, through } = options;
  const unreachable = (error: unknown) => new SshError("Unreachable", `cannot connect to ${nameOfMachine(options)}${through === undefined ? "" : ` through ${through.name}`}: ${codeOf(error) === "ECONNREFUSED" ? "connection refused; does sshd run there?" : messageOf(error)}`, false, { cause: error });
  if (through !== undefined) {
    try {
      return await through.dial({ host, port }, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw unreachable(error);
    }
  }
  return await new Promise<Duplex>((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true });
    const settle = (end: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners();
      end();
    };
    const onAbort = () =>
      settle(() => {
        socket.on("error", () => {}); // Nobody waits for it any more.
        socket.destroy();
        reject(signal.reason as Error);
      });
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => settle(() => resolve(socket)));
    socket.once("error", (error) => settle(() => reject(unreachable(error))));
  });
}

function logIn(options: SshOptions, socket: Duplex, signal: AbortSignal): Promise<Client> {
  const { user, credentials, hostKeys, onHostKey } = options;
  const where = nameOfMachine(options);
  const login = createLogin(user, credentials);
  const client = new ssh2.Client();
  const outcome = () => ({ tried: login.tried(), offered: login.offered });
  let refusal: string | undefined;

  const verify = async (blob: Buffer): Promise<boolean> => {
    try {
      const key = hostKeyOf(blob);
      if (hostKeys.length === 0 && (await onHostKey?.(key)) === true) return true;
      refusal = refusalOf(key, hostKeys);
    } catch (error) {
      refusal = messageOf(error);
    }
    return refusal === undefined;
  };

  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      client.removeAllListeners();
      client.on("error", () => {}); // What follows from the first error is no news.
      client.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    client.on("error", (error: Error & { readonly level?: string }) => {
      if (refusal !== undefined) fail(new SshError("HostKeyRefused", `Refused to connect to ${where}: ${refusal}`, false));
      else if (error.level === "agent") login.note(messageOf(error));
      else if (error.level === "client-authentication") fail(new SshError("AuthenticationFailed", `${where} did not let us in; tried: ${login.tried()}`, false, { cause: error, login: outcome() }));
      else fail(new SshError(error.level === "client-socket" ? "Unreachable" : "HandshakeFailed", `cannot connect to ${where}: ${messageOf(error)}`, false, { cause: error }));
    });
    // sshd hangs up without a word after too many attempts, and when it has too many connections (MaxStartups).
    client.on("close", () => fail(new SshError("HandshakeFailed", `${where} hung up during the handshake; tried: ${login.tried()}`, false, { login: outcome() })));
    client.once("ready", () => {
      signal.removeEventListener("abort", onAbort);
      client.removeAllListeners();
      resolve(client);
    });
    try {
      client.connect({
        sock: socket,
        username: user,
        authHandler: login.handler,
        hostVerifier: (key: Buffer, answer: (isValid: boolean) => void) => void verify(key).then(answer),
        // Its timers would not follow our clock.
        readyTimeout: 0,
        keepaliveInterval: 0,
        algorithms: { serverHostKey: algorithmsFor(hostKeys.length > 0 ? hostKeys : (options.likelyHostKeys ?? [])) },
        strictVendor: false,
      });
    } catch (error) {
      fail(new SshError("HandshakeFailed", `cannot connect to ${where}: ${messageOf(error)}`, false, { cause: error }));
    }
  });
}
