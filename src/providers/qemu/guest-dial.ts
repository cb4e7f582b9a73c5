import type { Duplex } from "node:stream";
import { sleep, type Clock } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";

/** For the first byte of the machine's sshd, before another connection is tried; half as much again each time. */
const firstByteMs = 200;
const firstByteMsMax = 4000;
const betweenMs = 40;

/**
 * A stream to a machine's sshd that has said its first words. QEMU takes connections before the machine has a network; those that come
 * too early hang, and are given up for another.
 * @throws ProviderError NotRunning when QEMU does not listen, the signal's reason
 */
export async function dialGuest(transport: Pick<Transport, "dial">, clock: Clock, id: string, sshPort: number, signal: AbortSignal): Promise<Duplex> {
  for (let patienceMs = firstByteMs; ; patienceMs = Math.min(patienceMs * 1.5, firstByteMsMax)) {
    let stream: Duplex;
    try {
      stream = await transport.dial({ host: "127.0.0.1", port: sshPort }, signal);
    } catch (error) {
      if (error instanceof TransportError && codeOf(error.cause) === "ECONNREFUSED") throw new ProviderError("NotRunning", `${id} does not run`, true, { cause: error });
      throw error;
    }
    if (await speaks(stream, clock, patienceMs, signal)) return stream;
    stream.destroy();
    await sleep(clock, betweenMs, signal);
  }
}

function speaks(stream: Duplex, clock: Clock, patienceMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answer: boolean) => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      stream.off("data", onData).off("end", onEnd).off("close", onEnd);
      stream.pause();
      resolve(answer);
    };
    const onEnd = () => settle(false);
    const onAbort = () => settle(false); // The next wait throws its reason.
    const onData = (chunk: Buffer) => {
      settle(true);
      stream.unshift(chunk);
    };
    const timer = clock.after(patienceMs, onEnd);
    signal.addEventListener("abort", onAbort, { once: true });
    stream.on("error", () => {}); // Its end is what counts.
    stream.on("data", onData).once("end", onEnd).once("close", onEnd);
  });
}
