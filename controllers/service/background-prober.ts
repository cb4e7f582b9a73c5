import { request } from "node:http";
import type { Duplex } from "node:stream";
import { sleep, timeoutSignal, TimeoutError, type Clock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import type { HealthCheck } from "../../src/api/service.ts";
import type { Health, ProbeSpec, Prober } from "./prober.ts";

/** Until the first success a service is asked this often at first, then ever more slowly up to its interval: start-up should not wait for a long interval. */
const eagerIntervalMs = 50;
/** Between checks while there is no way to the machine: nothing can be learned, and it must not be kept busy. */
const noWayRetryMs = 1000;
/** For asking whether a machine answers, after a check had failed. */
const wayTimeoutMs = 5_000;
/** Output of an exec check kept for its message. */
const outputBytesMax = 2048;

const stays: Health = { state: "healthy", message: "its process runs" };

interface Watch {
  readonly run: string;
  health: Health;
  /** The newest way to it: the machine may be reached otherwise by now. */
  spec: ProbeSpec;
  readonly abort: AbortController;
  done: Promise<void>;
}

/** The real Prober: one loop a service, checks never overlap. */
export function createBackgroundProber({ clock, log }: { readonly clock: Clock; readonly log: Logger }): Prober {
  const watches = new Map<string, Watch>();
  const listeners: ((serviceUid: string) => void)[] = [];

  const loop = async (uid: string, watch: Watch, signal: AbortSignal) => {
    const { check } = watch.spec;
    if ("kind" in check) {
      if (watch.health.state === "healthy") return;
      await sleep(clock, check.settleMs, signal);
      watch.health = stays;
      for (const listener of listeners) listener(uid);
      return;
    }
    const startMs = clock.monotonic();
    const intervalMs = check.intervalSeconds * 1000;
    let delayMs = eagerIntervalMs;
    let failures = 0;
    while (!signal.aborted) {
      const verdict = await checkOnce(clock, watch.spec, check, signal);
      if (signal.aborted) return;
      if (verdict === "no way") {
        await sleep(clock, Math.max(delayMs, noWayRetryMs), signal);
        continue;
      }
      let next: Health;
      if (verdict.ok) {
        failures = 0;
        next = { state: "healthy", message: verdict.message };
      } else {
        const starting = watch.health.state === "pending" && clock.monotonic() - startMs < check.startPeriodSeconds * 1000;
        failures = starting ? 0 : failures + 1;
        next = failures >= check.failureThreshold ? { state: "unhealthy", message: verdict.message }
          : watch.health.state === "healthy" ? watch.health
          : { state: "pending", message: `not healthy yet: ${verdict.message}` };
      }
      const changed = next.state !== watch.health.state || (next.state !== "healthy" && next.message !== watch.health.message);
      watch.health = next;
      if (changed) for (const listener of listeners) listener(uid);
      delayMs = next.state === "pending" ? Math.min(delayMs * 1.5, intervalMs) : intervalMs;
      await sleep(clock, delayMs, signal);
    }
  };

  const unwatch = (uid: string) => {
    watches.get(uid)?.abort.abort();
    watches.delete(uid);
  };

  return {
    watch(uid, spec) {
      const known = watches.get(uid);
      if (known?.run === spec.run) {
        known.spec = spec;
        return known.health;
      }
      unwatch(uid);
      const health: Health = !("kind" in spec.check) ? { state: "pending", message: "not checked yet" } : spec.check.settleMs === 0 ? stays : { state: "pending", message: "it runs; healthy once it has stayed up for a moment" };
      const abort = new AbortController();
      const watch: Watch = { run: spec.run, spec, health, abort, done: Promise.resolve() };
      watch.done = loop(uid, watch, abort.signal).catch((error: unknown) => {
        // The only throw left is the sleep's, ended by unwatch.
        if (!abort.signal.aborted) log.error("health checks ended", { service: uid, error: messageOf(error) });
      });
      watches.set(uid, watch);
      return health;
    },
    unwatch,
    onChange: (listener) => void listeners.push(listener),
    async close() {
      const all = [...watches.values()];
      for (const uid of [...watches.keys()]) unwatch(uid);
      await Promise.all(all.map((watch) => watch.done));
    },
  };
}

type Verdict = { readonly ok: boolean; readonly message: string };

/** One check. "no way": it came to nothing because the machine could not be reached. */
async function checkOnce(clock: Clock, spec: ProbeSpec, check: HealthCheck, parent: AbortSignal): Promise<Verdict | "no way"> {
  const wayHeld = spec.watchWay?.();
  const verdict = await tryOnce(clock, spec, check, parent);
  if (verdict.ok || wayHeld === undefined || parent.aborted) return verdict;
  using bound = timeoutSignal(clock, wayTimeoutMs, "asking whether the machine answers", parent);
  return (await wayHeld(bound.signal)) ? verdict : "no way";
}

/** One check; trouble of any kind is a failed check, with the words for people. */
async function tryOnce(clock: Clock, spec: ProbeSpec, check: HealthCheck, parent: AbortSignal): Promise<Verdict> {
  const timeoutMs = check.timeoutSeconds * 1000;
  using bound = timeoutSignal(clock, timeoutMs, "the health check", parent);
  try {
    if (check.exec) return await checkExec(spec, check.exec.command, bound.signal);
    const port = check.http?.port ?? check.tcp?.port ?? spec.defaultPort;
    if (port === undefined) return { ok: false, message: "the health check names no port" };
    const socket = await spec.provider.dial(spec.instanceId, port, bound.signal);
    if (check.http) return await checkHttp(socket, port, check.http.path, bound.signal);
    socket.destroy();
    return { ok: true, message: `port ${port} accepts connections` };
  } catch (error) {
    return { ok: false, message: error instanceof TimeoutError ? `no answer within ${timeoutMs} ms` : messageOf(error) };
  }
}

function checkHttp(socket: Duplex, port: number, path: string, signal: AbortSignal): Promise<Verdict> {
  return new Promise<Verdict>((resolve, reject) => {
    const asked = request({ createConnection: () => socket, path, method: "GET", signal, headers: { host: `localhost:${port}`, "user-agent": "vendetta-probe", connection: "close" } }, (response) => {
      const status = response.statusCode ?? 0;
      response.destroy();
      resolve({ ok: status >= 200 && status < 400, message: `GET :${port}${path} answered ${status}` });
    });
    asked.on("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    asked.end();
  }).finally(() => socket.destroy());
}

async function checkExec(spec: ProbeSpec, command: readonly string[], signal: AbortSignal): Promise<Verdict> {
  const stream = await spec.provider.exec(spec.instanceId, command, { env: spec.env, workingDir: spec.workingDir, signal });
  const chunks: Buffer[] = [];
  let kept = 0;
  const keep = (chunk: Buffer) => {
    if (kept < outputBytesMax) chunks.push(chunk.subarray(0, outputBytesMax - kept));
    kept += chunk.length;
  };
  stream.stdin.end();
  stream.stdout.on("data", keep);
  stream.stderr.on("data", keep);
  const { code, signal: by } = await stream.exit;
  if (code === 0) return { ok: true, message: `${command[0]} ended with exit code 0` };
  const said = Buffer.concat(chunks).toString("utf8").trim().split("\n").at(-1) ?? "";
  return { ok: false, message: `${command[0]} ended with ${code === undefined ? by : `exit code ${code}`}${said === "" ? "" : `: ${said.slice(0, 200)}`}` };
}
