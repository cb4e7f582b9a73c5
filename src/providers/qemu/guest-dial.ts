import type { Duplex } from "node:stream";
import { sleep, type Clock } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import { TransportError, type Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";

/** Before another connection is opened; a quarter more each time: a machine may be up within a second, or boot for minutes. */
const bootPauseMs = 100;
const pauseMsMax = 1000;
/** One that has answered before is only slow to: each connection counts against its sshd's bound on those that have not logged in. */
const answeredPauseMs = 5000;
/** Connections that wait for their first byte at the same time; the oldest of more is given up. */
const openMax = 4;

/**
 * A stream to a machine's sshd that has said its first words. QEMU takes connections before the machine has a network, and those
 * hang; an sshd that is emulated may need a second for its first word. Both look the same from here: so another connection is
 * opened beside those that are waited for, and the first that speaks is it.
 * @param hasAnswered whether this start of the machine has let somebody in before
 * @throws ProviderError NotRunning when QEMU does not listen, TransportError, the signal's reason
 */
export async function dialGuest(transport: Pick<Transport, "dial">, clock: Clock, id: string, sshPort: number, hasAnswered: boolean, signal: AbortSignal): Promise<Duplex> {
  const open: Duplex[] = [];
  let spoken: Duplex | undefined;
  let tell = (_stream: Duplex) => {};
  const first = new Promise<Duplex>((resolve) => (tell = resolve));
  try {
    const firstPauseMs = hasAnswered ? answeredPauseMs : bootPauseMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.max(firstPauseMs, Math.min(pauseMs * 1.25, pauseMsMax))) {
      const stream = await dialPort(transport, id, sshPort, signal);
      onFirstByte(stream, () => tell(stream));
      open.push(stream);
      if (open.length > openMax) open.shift()!.destroy();
      const heard = await Promise.race([first, sleep(clock, pauseMs, signal)]);
      if (heard !== undefined) return (spoken = heard);
    }
  } finally {
    for (const stream of open) if (stream !== spoken) stream.destroy();
  }
}

async function dialPort(transport: Pick<Transport, "dial">, id: string, port: number, signal: AbortSignal): Promise<Duplex> {
  try {
    return await transport.dial({ host: "127.0.0.1", port }, signal);
  } catch (error) {
    if (error instanceof TransportError && codeOf(error.cause) === "ECONNREFUSED") throw new ProviderError("NotRunning", `${id} does not run`, true, { cause: error });
    throw error;
  }
}

/** The byte is still there to be read. */
function onFirstByte(stream: Duplex, heard: () => void): void {
  stream.on("error", () => {}); // Its silence is what counts.
  stream.once("data", (chunk: Buffer) => {
    stream.pause();
    stream.unshift(chunk);
    heard();
  });
}
