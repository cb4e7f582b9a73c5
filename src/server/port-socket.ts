import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { timeoutSignal } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { dialMsMax, type PortForwardOptions } from "./port-forward.ts";

/**
 * One connection to each of a Pod's ports over one WebSocket, as Kubernetes' client libraries ask: channel 2i carries the
 * bytes of the i-th port and channel 2i+1 words about it; each begins with the port's number, two bytes, little-endian. No
 * direction can end apart: the socket is closed when every connection has ended. Never rejects.
 * Source: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go.
 */
export async function servePortSocket(socket: WebSocket, ports: readonly number[], { pod, dial, clock, log, stopping }: PortForwardOptions): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const ending = new AbortController();
  // What is said of the connection besides is that it closes.
  socket.on("error", () => socket.terminate());
  const onStop = () => socket.close(1001, "the server stops");
  if (stopping.aborted) onStop();
  else stopping.addEventListener("abort", onStop, { once: true });
  void closed.then(() => ending.abort(new Error("the forward has ended")));

  const fars = new Map<number, Duplex>();
  // Until it is known of every port whether it is reached nothing is taken from the caller: what it sends waits in the kernel.
  socket.pause();
  let dialling = ports.length;
  const goOn = () => {
    if (dialling === 0) socket.resume();
  };
  socket.on("message", (data: Buffer) => {
    const far = fars.get(data[0]!);
    if (far === undefined || far.writableEnded || far.destroyed) return;
    if (!far.write(data.subarray(1))) socket.pause();
  });

  const carry = async (port: number, channel: number): Promise<void> => {
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    await Promise.all([send(socket, channel, number), send(socket, channel + 1, number)]);
    let far: Duplex | "refused";
    try {
      using bound = timeoutSignal(clock, dialMsMax, `dialing port ${port}`, ending.signal);
      far = await dial(pod.metadata, port, bound.signal);
      if (far === "refused") throw new Error("connection refused: nothing listens there");
    } catch (why) {
      dialling--;
      goOn();
      log.debug("a forwarded connection found nobody", { pod: pod.metadata.name, port, error: messageOf(why) });
      return await send(socket, channel + 1, Buffer.from(`error forwarding port ${port} to pod ${pod.metadata.name}, uid ${pod.metadata.uid}: ${messageOf(why)}`));
    }
    fars.set(channel, far);
    dialling--;
    const connection = far;
    void closed.then(() => connection.destroy());
    for (const event of ["drain", "close", "error"]) connection.on(event, goOn);
    goOn();
    for await (const chunk of connection as AsyncIterable<Buffer>) await send(socket, channel, chunk);
  };

  // A connection that breaks has ended; the others go on.
  await Promise.allSettled(ports.map((port, i) => carry(port, 2 * i)));
  socket.resume();
  socket.close(1000);
  await closed;
  stopping.removeEventListener("abort", onStop);
}

/** Resolves when the bytes have left for the kernel: that is the back-pressure. */
function send(socket: WebSocket, channel: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.send(Buffer.concat([Buffer.of(channel), bytes]), (error) => (error ? reject(error) : resolve())));
}
