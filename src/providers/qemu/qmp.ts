import type { Duplex } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import { ProviderError } from "../provider.ts";

/** Bytes of one message from QEMU; an answer is some hundred. */
const messageBytesMax = 1024 * 1024;

interface QmpMessage {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
}

/** One connection to a machine's monitor (QEMU Machine Protocol, docs/interop/qmp-spec). */
export interface Qmp extends AsyncDisposable {
  /** @throws ProviderError reason QemuRefused when QEMU says no, QemuGone when the connection breaks, the signal's reason */
  ask(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Names of events as they come, until the connection ends. To be read by one reader. */
  events(): AsyncIterable<string>;
}

/** Greets QEMU over a stream that was just opened to one of its monitors. The stream ends with the signal. */
export async function greetQemu(stream: Duplex, signal: AbortSignal): Promise<Qmp> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const heard: string[] = [];
  let wake = () => {};
  let ended: Error | undefined;
  let greeted = () => {};
  let sent = 0;
  let rest = "";

  const end = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    wake();
    greeted();
  };
  const take = (message: QmpMessage) => {
    if (message.QMP !== undefined) greeted();
    if (message.event !== undefined) {
      heard.push(message.event);
      wake();
    }
    const asked = message.id === undefined ? undefined : waiting.get(message.id);
    if (asked === undefined) return;
    waiting.delete(message.id!);
    if (message.error === undefined) asked.resolve(message.return);
    else asked.reject(new ProviderError("QemuRefused", message.error.desc, true));
  };
  const onAbort = () => {
    end(signal.reason as Error);
    stream.destroy();
  };
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > messageBytesMax) return void stream.destroy(new Error("QEMU sent a message that does not end"));
    try {
      for (const line of lines) if (line.trim() !== "") take(JSON.parse(line) as QmpMessage);
    } catch (error) {
      stream.destroy(new Error(`QEMU sent what is no message: ${messageOf(error)}`));
    }
  });
  const gone = (error?: Error) => end(new ProviderError("QemuGone", `QEMU ended the connection to its monitor${error === undefined ? "" : `: ${messageOf(error)}`}`, true));
  stream.on("error", gone);
  stream.on("end", () => {
    stream.end();
    gone();
  });
  stream.on("close", () => {
    signal.removeEventListener("abort", onAbort);
    gone();
  });
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();

  const ask: Qmp["ask"] = (command, args = {}) =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      const id = ++sent;
      waiting.set(id, { resolve, reject });
      stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  if (ended === undefined) await new Promise<void>((resolve) => (greeted = resolve));
  await ask("qmp_capabilities");
  return {
    ask,
    async *events() {
      for (;;) {
        const event = heard.shift();
        if (event !== undefined) yield event;
        else if (ended !== undefined) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    [Symbol.asyncDispose]() {
      stream.destroy();
      return Promise.resolve();
    },
  };
}
