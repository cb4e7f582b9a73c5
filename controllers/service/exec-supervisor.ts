import type { Clock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import { ProviderError, type Instance, type Provider } from "../../src/providers/provider.ts";
import { TransportError, type ExecStream } from "../../src/transports/transport.ts";
import { ControlStream, type RequestText } from "./control-stream.ts";
import { parseRun } from "./run-reply.ts";
import { shQuote } from "../../src/base/sh-quote.ts";
import { scriptLine, shellOfStdin } from "./stdin-script.ts";
import { startLines } from "./start-lines.ts";
import { logsScript } from "./logs-script.ts";
import type { Run, RunSpec, Supervisor, Supervisors } from "./supervisor.ts";

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Names become directories inside the instance. */
const serviceName = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
const hashWord = /^[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,127}$/;

/** Whether a request may be sent again when the stream broke and it may have been carried out. */
type Again = "repeatable" | "once";

class ExecSupervisor implements Supervisor {
  readonly #parts: Parts;
  readonly #provider: Provider;
  readonly #instanceId: string;
  readonly #runDir: string;
  readonly #hint: (service: string) => void;
  /** Services whose runs are known: what they do while no stream is open is seen by nobody. */
  readonly #known = new Set<string>();
  #stream: Promise<ControlStream> | undefined;
  #reading: Promise<void> | undefined;
  #nextReading: Promise<readonly Run[]> | undefined;
  #startsAsked = 0;
  readonly #released = new AbortController();

  constructor(parts: Parts, provider: Provider, instance: Instance, hint: (service: string) => void) {
    this.#parts = parts;
    this.#provider = provider;
    this.#instanceId = instance.id;
    this.#runDir = instance.runDir;
    this.#hint = hint;
  }

  /** Each service's reconcile asks for all runs, so callers share a reading; never one that began before they asked. */
  runs(signal: AbortSignal): Promise<readonly Run[]> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    this.#nextReading ??= (this.#reading ?? Promise.resolve()).then(() => {
      const reading = this.#readRuns();
      this.#nextReading = undefined;
      // Those who wait for it hear of its failure; the next one only waits for its end.
      const over = reading.then(() => {}, () => {});
      this.#reading = over;
      return reading;
    });
    return orAbort(this.#nextReading, signal);
  }

  async #readRuns(): Promise<readonly Run[]> {
    // Shared, so of nobody's signal; bounded by the time-outs of the stream. Over with the supervisor: an instance on its way out may never answer.
    const runs = this.#parse(await this.#ask((id) => `v_runs ${id}\n`, "reading runs", "repeatable", this.#released.signal));
    this.#known.clear();
    for (const { service } of runs) this.#known.add(service);
    return runs;
  }

  async start(spec: RunSpec, signal: AbortSignal): Promise<Run> {
    checkService(spec.service);
    if (!hashWord.test(spec.hash)) throw new ProviderError("InvalidSpec", `hash ${JSON.stringify(spec.hash)} is not one word`, false);
    const lines = startLines(spec);
    // Finds the run again when the answer is lost: it may have ended by then, and must not be started twice.
    const token = `${this.#parts.clock.now().toString(36)}-${++this.#startsAsked}`;
    this.#known.add(spec.service);
    const text = (id: number) => `v_start ${id} ${shQuote(spec.service)} ${shQuote(spec.hash)} ${token} ${shQuote(spec.name)}\n${lines}`;
    const [run] = this.#parse(await this.#ask(text, `starting service ${spec.service}`, "repeatable", signal));
    if (run === undefined) throw new TransportError(`starting service ${spec.service}: the control shell answered nothing`, true);
    this.#hint(spec.service);
    return run;
  }

  async signal(service: string, number: number, name: "TERM" | "KILL" | "HUP", signal: AbortSignal): Promise<void> {
    checkService(service);
    // A second SIGTERM makes many programs give up their clean end, a second SIGHUP reloads twice.
    await this.#ask((id) => `v_signal ${id} ${shQuote(service)} ${Math.trunc(number)} ${name}\n`, `signalling service ${service}`, name === "KILL" ? "repeatable" : "once", signal);
  }

  async forget(service: string, signal: AbortSignal): Promise<void> {
    checkService(service);
    await this.#ask((id) => `v_forget ${id} ${shQuote(service)}\n`, `forgetting service ${service}`, "repeatable", signal);
    this.#known.delete(service);
  }

  async logs(service: string, options: { readonly follow: boolean; readonly previous: boolean; readonly tailLines: number | undefined; readonly signal: AbortSignal }): Promise<ExecStream> {
    checkService(service);
    const tail = options.tailLines === undefined ? "all" : String(Math.max(0, Math.trunc(options.tailLines)));
    const argv = shellOfStdin("vendetta-logs", this.#runDir, service, options.previous ? "1" : "0", tail, options.follow ? "1" : "0");
    const exec = await this.#provider.exec(this.#instanceId, argv, { signal: options.signal });
    // A shell that has ended before it read its script says why by its exit.
    exec.stdin.on("error", () => {});
    exec.stdin.write(scriptLine(logsScript));
    return exec;
  }

  async close(): Promise<void> {
    this.#released.abort(new TransportError(`the control stream of ${this.#instanceId} was closed`, true));
    const stream = this.#stream;
    this.#stream = undefined;
    // One that could not be opened is not there to be closed; its callers were told.
    await (await stream?.catch(() => undefined))?.close();
  }

  async #ask(text: RequestText, what: string, again: Again, signal: AbortSignal): Promise<readonly (readonly string[])[]> {
    for (let attempt = 1; ; attempt++) {
      const stream = await this.#open(signal);
      try {
        return await stream.request(text, `${what} in ${this.#instanceId}`, signal);
      } catch (error) {
        const broke = error instanceof TransportError && stream.isBroken && !this.#released.signal.aborted;
        if (!broke || attempt > 1 || (error.mayHaveRun && again === "once")) throw error;
      }
    }
  }

  /** The stream, opened when there is none. It is everybody's: a caller that gives up does not end it for the others. */
  async #open(signal: AbortSignal): Promise<ControlStream> {
    if (this.#released.signal.aborted) throw new ProviderError("NotRunning", `the supervisor of ${this.#instanceId} was released; ask for it again`, true);
    signal.throwIfAborted();
    return orAbort((this.#stream ??= this.#connect()), signal);
  }

  #connect(): Promise<ControlStream> {
    const opening = ControlStream.open(this.#provider, this.#instanceId, this.#runDir, {
      clock: this.#parts.clock,
      log: this.#parts.log,
      onExit: (service) => {
        // Anything inside the instance can write to the FIFO.
        if (serviceName.test(service)) this.#hint(service);
      },
      onBroken: () => {
        if (this.#stream === opening) this.#stream = undefined;
        for (const service of this.#known) this.#hint(service);
      },
    });
    opening.catch((error: unknown) => {
      this.#parts.log.debug("control stream not opened", { error: messageOf(error) });
      // The next call tries anew; when to call is the caller's back-off.
      if (this.#stream === opening) this.#stream = undefined;
    });
    return opening;
  }

  #parse(reply: readonly (readonly string[])[]): Run[] {
    return reply.map((fields) => {
      const run = parseRun(fields);
      if (run === undefined) throw new TransportError(`the control shell of ${this.#instanceId} answered nonsense: ${fields.join(" ").slice(0, 200)}`, true);
      return run;
    });
  }
}

function checkService(service: string): void {
  if (!serviceName.test(service)) throw new ProviderError("InvalidSpec", `${JSON.stringify(service)} is not the uid of a service`, false);
}

/** Resolves as `promise` does. @throws the signal's reason when it aborts first; the promise's outcome is then others' to see. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Supervisors over `Provider.exec`: see `supervise-script.ts` for what runs inside an instance. */
export function createSupervisors(parts: Parts): Supervisors {
  const held = new Map<Provider, Map<string, { readonly startId: string | undefined; readonly supervisor: ExecSupervisor }>>();
  const listeners: ((instanceId: string, service: string) => void)[] = [];
  const closing = new Set<Promise<void>>();
  const letGo = (supervisor: ExecSupervisor) => {
    const closed = supervisor.close().catch((error: unknown) => parts.log.warn("control stream not closed cleanly", { error: messageOf(error) }));
    closing.add(closed);
    void closed.finally(() => closing.delete(closed));
  };
  const release = (provider: Provider, instanceId: string) => {
    const instances = held.get(provider);
    const entry = instances?.get(instanceId);
    if (instances === undefined || entry === undefined) return;
    instances.delete(instanceId);
    if (instances.size === 0) held.delete(provider);
    letGo(entry.supervisor);
  };
  return {
    of(provider, instance) {
      const entry = held.get(provider)?.get(instance.id);
      if (entry !== undefined && entry.startId === instance.startId) return entry.supervisor;
      release(provider, instance.id);
      const log = parts.log.with({ instance: instance.id });
      const supervisor = new ExecSupervisor({ clock: parts.clock, log }, provider, instance, (service) => {
        for (const listener of listeners) listener(instance.id, service);
      });
      const instances = held.get(provider) ?? new Map();
      held.set(provider, instances.set(instance.id, { startId: instance.startId, supervisor }));
      return supervisor;
    },
    onHint(listener) {
      listeners.push(listener);
    },
    release(instanceId) {
      for (const provider of [...held.keys()]) release(provider, instanceId);
    },
    async close() {
      for (const [provider, instances] of [...held]) for (const id of [...instances.keys()]) release(provider, id);
      await Promise.all(closing);
    },
  };
}
