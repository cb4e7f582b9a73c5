import type { Duplex } from "node:stream";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { Pod } from "../api/pod.ts";
import { resetStatus } from "./spdy/frames.ts";
import { SpdySession, type SpdyStream } from "./spdy/session.ts";

/** Connects to a TCP port inside a Workspace's instance. Handed in by the composition root. @throws Error saying why the instance cannot be reached at all */
export type Dial = (workspace: NamespacedName, port: number, signal: AbortSignal) => Promise<Duplex | "refused">;

/** Both streams of a connection are opened within this time; as kubelet. */
const pairMsMax = 30_000;
export const dialMsMax = 10_000;
/** Between saying goodbye and cutting the connection. */
const closeMsMax = 2_000;

export interface PortForwardOptions {
  readonly pod: Pod;
  readonly dial: Dial;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal;
}

/** The two streams of one connection, as far as they are open. */
interface Pair extends Disposable {
  error: SpdyStream | undefined;
  data: SpdyStream | undefined;
}

/**
 * Carries connections to ports of a Pod until the caller goes: for each it opens a stream "error" and a stream "data" with
 * the same requestid. Each direction ends apart. Never rejects.
 *
 * What is said on an error stream makes kubectl (1.23 and later) end the whole forward. So it is said when the instance
 * cannot be reached; a port on which nothing listens, which may only be between two starts, just has its connection cut.
 * Source: k8s.io/kubelet/pkg/cri/streaming/portforward.
 */
export async function servePortForward(transport: Duplex, { pod, dial, clock, log, stopping }: PortForwardOptions): Promise<void> {
  const pairs = new Map<string, Pair>();
  const ending = new AbortController();

  const session = new SpdySession(transport, (stream) => {
    // A stream that breaks is its two ends' business.
    stream.on("error", () => {});
    const { streamtype, port: portText = "", requestid } = stream.headers;
    const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
    if ((streamtype !== "error" && streamtype !== "data") || requestid === undefined || port < 1 || port > 65535) return stream.reset(resetStatus.protocolError);
    const pair = pairs.get(requestid) ?? open(requestid);
    if (pair[streamtype] !== undefined) return stream.reset(resetStatus.protocolError);
    pair[streamtype] = stream;
    if (pair.error === undefined || pair.data === undefined) return;
    pair[Symbol.dispose]();
    void carry(pair.data, pair.error, port);
  });

  const open = (requestId: string): Pair => {
    const timer = clock.after(pairMsMax, () => {
      pairs.delete(requestId);
      pair.error?.reset(resetStatus.cancel);
      pair.data?.reset(resetStatus.cancel);
    });
    const pair: Pair = {
      error: undefined,
      data: undefined,
      [Symbol.dispose]() {
        pairs.delete(requestId);
        timer[Symbol.dispose]();
      },
    };
    pairs.set(requestId, pair);
    return pair;
  };

  const carry = async (near: SpdyStream, error: SpdyStream, port: number): Promise<void> => {
    error.resume();
    let far: Duplex | "refused";
    try {
      using bound = timeoutSignal(clock, dialMsMax, `dialing port ${port}`, ending.signal);
      far = await dial(pod.metadata, port, bound.signal);
    } catch (why) {
      log.debug("a forwarded connection found nobody", { pod: pod.metadata.name, port, error: messageOf(why) });
      error.end(`error forwarding port ${port} to pod ${pod.metadata.name}, uid ${pod.metadata.uid}: ${messageOf(why)}`);
      near.reset(resetStatus.cancel);
      return;
    }
    // An error stream that ends without a word says that all went well.
    near.once("close", () => error.end());
    if (far === "refused") return near.reset(resetStatus.cancel);
    join(near, far);
  };

  const onStop = () => {
    session.close();
    clock.after(closeMsMax, () => transport.destroy());
  };
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop, { once: true });
  await session.run();
  stopping.removeEventListener("abort", onStop);
  ending.abort(new Error("the forward has ended"));
  for (const pair of [...pairs.values()]) pair[Symbol.dispose]();
}

/** Byte for byte both ways; back-pressure is the streams' own. */
function join(near: SpdyStream, far: Duplex): void {
  if (near.destroyed) return void far.destroy();
  far.on("error", () => near.reset(resetStatus.internalError));
  near.on("close", () => far.destroy());
  near.pipe(far);
  far.pipe(near);
}
