import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RemoteWay, WayState } from "../../controllers/machines.ts";
import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { hopsOf, type SshReach } from "../api/ssh-reach.ts";
import type { SshFailure } from "../transports/ssh/ssh-error.ts";
import { nameOfMachine } from "../transports/ssh/ssh-options.ts";
import { createSessionLimit } from "../transports/ssh/session-limit.ts";
import { spreadStreams } from "../transports/ssh/spread-streams.ts";
import { createSshTransport, type SshTransport } from "../transports/ssh/ssh-transport.ts";
import { TransportError, type Transport } from "../transports/transport.ts";
import { shareLoopback } from "./shares-loopback.ts";

export interface SshWayParts {
  readonly ssh: SshReach;
  /** Where the cluster's own key is. */
  readonly sshDir: string;
  /** The server's machine: node ports are there. */
  readonly here: Transport;
  /** Told when the connection was made or lost. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** One SSH Node's transport, and what is known of its connection. */
export interface SshWay {
  readonly transport: Transport;
  readonly remote: RemoteWay;
  /** The user's home directory on the machine. @throws TransportError */
  homeThere(): Promise<string>;
  close(): Promise<void>;
}

const commandMsMax = 10_000;
/** Somebody waits for a machine that comes back, and asking costs little. */
const reconnectMsMax = 8_000;
/** For the answer whether the machine still answers, after something else had failed. */
const answerMsMax = 5_000;

/** An answer that takes longer comes after a silence. */
const silenceMsMin = 1_000;
/** What timed out in a silence may say so only after its end. */
const silenceNotedMs = 30_000;

/** Nothing is connected before the first use. */
export function openSshWay({ ssh, sshDir, here, onChange, clock, random }: SshWayParts): SshWay {
  const { jump, identityFile, ...target } = ssh;
  const keyFile = identityFile ?? join(sshDir, "id_ed25519");
  const hint = identityFile === undefined ? "; 'vendetta node add' makes it" : "";
  const credentials = { identities: [{ name: keyFile, privateKey: () => readKey(keyFile, hint) }] };
  const gates: SshTransport[] = [];
  for (const { host, port, user, hostKeys } of jump === undefined ? [] : hopsOf(jump)) {
    gates.push(createSshTransport({ host, port, user, hostKeys, credentials, through: gates.at(-1), clock, random, reconnectMsMax }));
  }
  const sessionLimit = createSessionLimit({ clock });
  const another = () => createSshTransport({ ...target, credentials, through: gates.at(-1), clock, random, reconnectMsMax, sessionLimit });
  const transport = another();
  const spread = spreadStreams({ main: transport, another, clock });
  const watched = watchWay({ transport, gates, onChange, clock });
  let home: Promise<string> | undefined;
  let silentMs = -Infinity;
  let sharesLoopback: boolean | undefined;

  return {
    transport: spread,
    remote: {
      address: nameOfMachine(ssh),
      get state() {
        return watched.state;
      },
      watch() {
        const begun = watched.connections;
        return async (signal) => {
          try {
            if (transport.state.phase === "ready" && watched.connections === begun) await transport.ping(answerMsMax, signal);
            return transport.state.phase === "ready" && watched.connections === begun;
          } catch {
            return false; // Why not is in the state already.
          }
        };
      },
      async isSilent(signal) {
        const begunMs = clock.monotonic();
        const answered = await transport.ping(answerMsMax, signal).then(() => true, () => false);
        const nowMs = clock.monotonic();
        if (!answered || nowMs - begunMs > silenceMsMin) silentMs = nowMs;
        return nowMs - silentMs < silenceNotedMs;
      },
      async sharesLoopback(signal) {
        // It is found once: the host key is pinned, and if the server's machine boots, the server does.
        return (sharesLoopback ??= await shareLoopback(here, transport, signal));
      },
      isNodePortFree: (port) => here.isPortFree(port),
    },
    async homeThere() {
      home ??= askHome(transport);
      try {
        return await home;
      } catch (error) {
        home = undefined;
        throw error;
      }
    },
    async close() {
      watched.end();
      await spread.close();
      // Each goes through those before it.
      for (const gate of gates.toReversed()) await gate.close();
    },
  };
}

interface WatchParts extends Pick<SshWayParts, "onChange" | "clock"> {
  readonly transport: SshTransport;
  /** The machines gone through, the first one first. */
  readonly gates: readonly SshTransport[];
}

function watchWay({ transport, gates, onChange, clock }: WatchParts) {
  let connections = 0;
  let state: WayState = { connectedSinceMs: undefined, latencyMs: undefined, reconnects: 0, trouble: undefined, lastError: undefined };
  const listening = transport.onState((next) => {
    if (next.phase === "ready") {
      const isNew = state.connectedSinceMs === undefined;
      if (isNew) connections++;
      state = { ...state, connectedSinceMs: state.connectedSinceMs ?? clock.now(), latencyMs: next.latencyMs ?? state.latencyMs, reconnects: Math.max(0, connections - 1), trouble: undefined };
      if (isNew) onChange();
    } else if (next.phase === "broken") {
      const wasUp = state.connectedSinceMs !== undefined;
      // A jump host's refusal is only "unreachable" to the machines behind it.
      const broken = gates.map(({ state: gateState }) => gateState).find(({ phase }) => phase === "broken");
      const failure = broken?.phase === "broken" ? broken.failure : next.failure;
      state = { ...state, connectedSinceMs: undefined, latencyMs: undefined, trouble: { reason: reasons[failure], message: `${next.reason}${advice(failure)}` }, lastError: next.reason };
      if (wasUp) onChange();
    }
  });
  return {
    /** Connections made so far: a change tells that one was lost in between. */
    get connections() {
      return connections;
    },
    get state() {
      return state;
    },
    end: () => listening[Symbol.dispose](),
  };
}

const reasons: Readonly<Record<SshFailure, string>> = {
  Unreachable: "Unreachable", HostKeyRefused: "HostKeyChanged", AuthenticationFailed: "AuthenticationFailed", HandshakeFailed: "HandshakeFailed", Closed: "Unreachable",
};

function advice(failure: SshFailure): string {
  if (failure === "AuthenticationFailed") return "; 'vendetta node add' puts the cluster's key there again";
  return "";
}

/** Read for each connection: a key that was missing or wrong can be put right meanwhile. */
async function readKey(file: string, hint: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(codeOf(error) === "ENOENT" ? `there is no such file${hint}` : `it cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function askHome(transport: Transport): Promise<string> {
  const { stdout, code } = await transport.run(["sh", "-c", 'printf %s "$HOME"'], { timeoutMs: commandMsMax });
  if (code !== 0 || !stdout.startsWith("/")) throw new TransportError(`the user of ${transport.name} has no home directory there (HOME is ${JSON.stringify(stdout.slice(0, 200))})`, false);
  return stdout.replace(/(?<=.)\/+$/, "");
}
