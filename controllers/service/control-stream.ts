import { sleep, timeoutSignal, type Clock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import { ProviderError, type Provider } from "../../src/providers/provider.ts";
import { TransportError, type ExecStream } from "../../src/transports/transport.ts";
import { controlScript, runDirUnusableCode, setsidMissingCode } from "./control-script.ts";
import { scriptLine, shellOfStdin } from "./stdin-script.ts";
import { superviseScript } from "./supervise-script.ts";

const openTimeoutMs = 10_000;
const requestTimeoutMs = 10_000;
/** How long a control shell whose stdin was closed may take to end before its exec is killed. */
const closeTimeoutMs = 2_000;
/** How long a shell that ended before it was ready may take to tell its exit code. */
const exitCodeWaitMs = 500;
const pendingRequestsMax = 1_024;
const replyLineCharsMax = 4_096;
const replyLinesMax = 10_000;
const stderrCharsMax = 2_000;

/** Makes the text of a request that has been given this id: whole lines. */
export type RequestText = (id: number) => string;

interface Pending {
  readonly lines: (readonly string[])[];
  readonly done: (lines: readonly (readonly string[])[]) => void;
  readonly fail: (error: unknown) => void;
}

export interface ControlStreamOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** A run of this service has ended. */
  readonly onExit: (service: string) => void;
  /** The stream ended without `close` having been called. Called once, and only for a stream that was opened. */
  readonly onBroken: () => void;
}

/** The control shell of one instance, over one exec: requests go in, replies and exits come out. Once broken it stays so. */
export class ControlStream {
  readonly #exec: ExecStream;
  readonly #cancelExec: AbortController;
  readonly #options: ControlStreamOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #ready: Promise<void>;
  #becomeReady: () => void = () => {};
  #failReady: (error: unknown) => void = () => {};
  #opened = false;
  #lastId = 0;
  #broken: unknown;
  #partial = "";
  #stderr = "";
  #unexpected = "";

  private constructor(exec: ExecStream, cancelExec: AbortController, options: ControlStreamOptions) {
    this.#exec = exec;
    this.#cancelExec = cancelExec;
    this.#options = options;
    this.#ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    exec.stdout.setEncoding("utf8").on("data", (chunk: string) => this.#read(chunk));
    exec.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-stderrCharsMax);
    });
    const broke = (error: unknown) => this.#break(new TransportError(`the control stream broke: ${messageOf(error)}`, true, { cause: error }));
    exec.stdin.on("error", broke);
    // A child process's stdin is destroyed without an error when the process ends; its stdout may stay open in a descendant.
    // Until the stream is open its exit code says why, and comes a moment later.
    exec.stdin.on("close", () => {
      if (this.#opened) broke(new Error("its stdin was closed"));
      else options.clock.after(exitCodeWaitMs, () => broke(new Error("its stdin was closed")));
    });
    exec.stdout.on("error", broke);
    exec.stderr.on("error", broke);
    exec.exit.then(({ code, signal }) => this.#break(this.#endOf(code, signal)), (error: unknown) => (isShellMissing(error) ? this.#break(shellMissing("the instance", error)) : broke(error)));
  }

  /** @throws ProviderError (those of `exec`; ShellMissing, RunDirUnusable), TransportError, TimeoutError */
  static async open(provider: Provider, instanceId: string, runDir: string, options: ControlStreamOptions): Promise<ControlStream> {
    // Of the exec's whole life, so it must not be the signal of whoever happens to call first.
    const cancelExec = new AbortController();
    using timeout = timeoutSignal(options.clock, openTimeoutMs, `opening the control stream of ${instanceId}`);
    const onTimeout = () => cancelExec.abort(timeout.signal.reason);
    timeout.signal.addEventListener("abort", onTimeout, { once: true });
    try {
      const exec = await provider.exec(instanceId, shellOfStdin("vendetta-control", runDir), { signal: cancelExec.signal }).catch((error: unknown) => {
        throw isShellMissing(error) ? shellMissing(instanceId, error) : error;
      });
      const stream = new ControlStream(exec, cancelExec, options);
      exec.stdin.write(scriptLine(controlScript, { v_supervise: superviseScript }));
      const fail = () => stream.#break(timeout.signal.reason);
      timeout.signal.addEventListener("abort", fail, { once: true });
      if (timeout.signal.aborted) fail();
      await stream.#ready;
      timeout.signal.removeEventListener("abort", fail);
      if (stream.#broken !== undefined) throw stream.#broken as Error;
      stream.#opened = true;
      return stream;
    } finally {
      timeout.signal.removeEventListener("abort", onTimeout);
    }
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /**
   * Sends a request and resolves with the fields of its reply's lines, ids and end left out.
   * @throws ProviderError that the shell answered; TransportError when the stream broke; TimeoutError, which breaks the
   * stream, for a shell that does not answer is of no use; the signal's reason, after which the effect is unknown.
   */
  async request(text: RequestText, what: string, signal: AbortSignal): Promise<readonly (readonly string[])[]> {
    signal.throwIfAborted();
    if (this.#broken !== undefined) throw new TransportError(messageOf(this.#broken), false, { cause: this.#broken });
    if (this.#pending.size >= pendingRequestsMax) throw new ProviderError("SupervisorBusy", `${what}: ${pendingRequestsMax} requests wait already`, true);
    const id = ++this.#lastId;
    using timeout = timeoutSignal(this.#options.clock, requestTimeoutMs, what, signal);
    try {
      return await new Promise((done, fail) => {
        this.#pending.set(id, { lines: [], done, fail });
        timeout.signal.addEventListener("abort", () => fail(timeout.signal.reason as Error), { once: true });
        this.#exec.stdin.write(text(id), (error) => {
          if (error) this.#break(new TransportError(`the control stream broke: ${error.message}`, true, { cause: error }));
        });
      });
    } catch (error) {
      if (timeout.signal.aborted && !signal.aborted) this.#break(error);
      throw error;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Lets the control shell end. What it supervises goes on. */
  async close(): Promise<void> {
    this.#opened = false;
    this.#break(new TransportError("the control stream was closed", true));
    // The way to it may be broken as well; either way the exec is over.
    // A bound for the exec that does not end even when killed: a broken connection that nobody reports.
    const ended = this.#exec.exit.then(() => {}, () => {});
    const patience = new AbortController();
    await Promise.race([ended, sleep(this.#options.clock, 2 * closeTimeoutMs, patience.signal).catch(() => {})]);
    patience.abort();
  }

  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    this.#failReady(error);
    for (const { fail } of this.#pending.values()) fail(error);
    this.#pending.clear();
    this.#exec.stdin.end();
    // Ends by itself at the end of its stdin; forced when it, or the way to it, hangs.
    const forced = this.#options.clock.after(closeTimeoutMs, () => {
      this.#exec.kill("SIGKILL");
      this.#cancelExec.abort(new TransportError("the control stream was closed", true));
    });
    const stop = () => forced[Symbol.dispose]();
    this.#exec.exit.then(stop, stop);
    if (!this.#opened) return;
    this.#options.log.debug("control stream broke", { error: messageOf(error) });
    this.#options.onBroken();
  }

  #endOf(code: number | undefined, signal: string | undefined): Error {
    const last = this.#stderr.trim().split("\n").at(-1) || this.#unexpected || this.#partial;
    if (!this.#opened && code === setsidMissingCode) return new ProviderError("SetsidMissing", "cannot supervise services: there is no setsid in the workspace; use an image with util-linux or busybox", false);
    if (!this.#opened && code === runDirUnusableCode) return new ProviderError("RunDirUnusable", `the supervisor's directory cannot be used: ${last}`, true);
    // An instance on its way out answers with the same codes: only what names a missing program is one.
    if (!this.#opened && (code === 126 || code === 127) && /not found|no such file/i.test(last)) return shellMissing("the instance", last);
    return new TransportError(`the control shell ended with ${signal ?? `code ${code}`}${last === "" ? "" : `: ${last}`}`, true);
  }

  #read(chunk: string): void {
    const lines = (this.#partial + chunk).split("\n");
    this.#partial = lines.pop()!;
    for (const line of lines) this.#line(line);
    if (this.#partial.length > replyLineCharsMax) this.#break(new TransportError("the control shell sent an endless line", true));
  }

  #line(line: string): void {
    const [word, ...fields] = line.split(" ");
    if (word === "H") return this.#becomeReady();
    if (word === "E" && fields.length === 3) return this.#options.onExit(fields[0]!);
    if (word !== "R") {
      // An engine that cannot start the shell says why where the shell would have spoken.
      this.#unexpected = line.slice(0, stderrCharsMax);
      return this.#options.log.debug("unexpected line from the control shell", { length: line.length });
    }
    const [id, ...reply] = fields;
    // A reply that nobody waits for any more was given up by its caller.
    const pending = this.#pending.get(Number(id));
    if (pending === undefined) return;
    if (reply[0] === "end") return pending.done(pending.lines);
    if (reply[0] === "error") return pending.fail(new ProviderError(reply[1] ?? "SupervisorFailed", reply.slice(2).join(" "), true));
    pending.lines.push(reply);
    if (pending.lines.length > replyLinesMax) this.#break(new TransportError("the control shell sent an endless reply", true));
  }
}

const isShellMissing = (error: unknown) => error instanceof ProviderError && error.reason === "CommandNotFound";

function shellMissing(where: string, cause: unknown): ProviderError {
  return new ProviderError("ShellMissing", `cannot supervise services: there is no "sh" in ${where}; use an image that has a shell`, false, { cause });
}
