import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { systemClock } from "../../src/base/system.ts";
import { createDockerProvider } from "../../src/providers/docker/docker-provider.ts";
import { instanceId, ProviderError, type Instance, type InstanceSpec, type Provider } from "../../src/providers/provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { ExecStream } from "../../src/transports/transport.ts";
import { startDockerd } from "../harness/docker.ts";

/** A place to supervise in, and what the tests may do there behind the supervisor's back. */
export interface Place {
  readonly provider: Provider;
  readonly instance: Instance;
  /** From which `placeOf` makes the same place in another process. */
  readonly words: readonly string[];
  /** Runs sh there and resolves with its stdout. */
  sh(script: string): Promise<string>;
  /** Processes of control shells that live there now. */
  controlProcesses(): Promise<number>;
  restart?(): Promise<Instance>;
  /** Takes it down, with every process that was started in it. */
  remove(): Promise<void>;
}

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until<T>(what: string, probe: () => Promise<T | undefined | false | ""> | T | undefined | false | "", timeoutMs = 10_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false && found !== "") return found;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await wait(10);
  }
}

export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString("utf8");
}

/** The place that `words` of another process describe. */
export async function placeOf(words: readonly string[]): Promise<Place> {
  const [kind, ...rest] = words;
  if (kind === "shell") return shellPlace(rest[0]!, rest[1]!, rest[2]!);
  return dockerPlace(rest[0]!, rest[1]!);
}

async function shOver(provider: Provider, id: string, script: string): Promise<string> {
  const exec = await provider.exec(id, ["sh", "-c", script], {});
  exec.stdin.on("error", () => {});
  exec.stdin.end();
  const [text] = await Promise.all([textOf(exec.stdout), textOf(exec.stderr), exec.exit]);
  return text;
}

const controls = (runDir: string) => async (provider: Provider, id: string) =>
  (await shOver(provider, id, "for f in /proc/[0-9]*/cmdline; do tr '\\0\\n' '  ' <$f 2>/dev/null; echo; done"))
    .split("\n")
    .filter((line) => line.includes(" vendetta-control ") && line.includes(runDir)).length;

/** Processes with this variable in their environment: those of one place, wherever their sessions and parents are. */
function processesMarked(mark: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`VENDETTA_TEST_MARK=${mark}`);
      } catch {
        return false; // Gone meanwhile, or a zombie.
      }
    })
    .map(Number);
}

/** Plain processes of this machine, in which `sh` is the given shell and, when `tools` are given, nothing else is found. */
export async function makeShellPlace(shell: string, tools?: readonly string[]): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), "vendetta-supervisor-"));
  const bin = join(root, "bin");
  mkdirSync(bin);
  symlinkSync(shell, join(bin, "sh"));
  for (const tool of tools ?? []) symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  return shellPlace(root, randomUUID(), tools === undefined ? [bin, process.env.PATH].join(delimiter) : bin);
}

function shellPlace(root: string, mark: string, path: string): Place {
  const start = async (argv: readonly string[], signal?: AbortSignal): Promise<ExecStream> => {
    signal?.throwIfAborted();
    const child = spawn(join(root, "bin", "sh"), argv.slice(1), { detached: true, cwd: root, env: { PATH: path, HOME: root, VENDETTA_TEST_MARK: mark }, argv0: argv[0]! });
    const kill = (name: NodeJS.Signals = "SIGTERM") => {
      try {
        process.kill(-child.pid!, name);
      } catch {
        // It has ended.
      }
    };
    const onAbort = () => kill("SIGKILL");
    signal?.addEventListener("abort", onAbort, { once: true });
    const exit = new Promise<{ code: number | undefined; signal: string | undefined }>((resolve) => child.on("close", (code, name) => resolve({ code: code ?? undefined, signal: name ?? undefined })));
    void exit.then(() => signal?.removeEventListener("abort", onAbort));
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", () => reject(new ProviderError("CommandNotFound", `${argv[0]} is not there`, false))));
    return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exit, kill };
  };
  const id = `vendetta-test-${mark.slice(0, 8)}`;
  const runDir = join(root, "run");
  const provider = { name: "host", exec: (_id: string, argv: readonly string[], options: { signal?: AbortSignal }) => start(argv, options.signal) } as unknown as Provider;
  return {
    words: ["shell", root, mark, path],
    provider,
    instance: { id, startId: "1", runDir } as Instance,
    sh: (script) => shOver(provider, id, script),
    controlProcesses: () => controls(runDir)(provider, id),
    async remove() {
      await until("no process of the place", () => {
        const left = processesMarked(mark);
        for (const pid of left) {
          try {
            process.kill(pid, "SIGKILL");
          } catch {
            // Gone meanwhile.
          }
        }
        return left.length === 0;
      });
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const image = "vendetta-busybox:1";

/** A container in an engine of its own, whose processes are this user's; undefined: root's. */
export async function makeDockerPlace(user?: string): Promise<Place> {
  const dockerd = await startDockerd();
  const { socketPath } = dockerd;
  await dockerd.importBusybox(image);
  const owner = { cluster: "test", uid: randomUUID(), namespace: "default", name: "w" };
  const spec = {
    owner, generation: 1, specHash: "h", hostname: "w", image, imagePullPolicy: "Never", env: {}, workingDir: undefined, user, mounts: [], ports: [],
    resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: { network: "none" },
  } as const satisfies InstanceSpec;
  const transport = createLocalTransport({ clock: systemClock });
  const provider = createDockerProvider({ transport, clock: systemClock, socketPath });
  const signal = AbortSignal.timeout(30_000);
  await provider.create(spec, () => {}, signal);
  await provider.start(instanceId(owner), signal);
  const place = await dockerPlace(socketPath, instanceId(owner));
  return {
    ...place,
    async restart() {
      await provider.stop(place.instance.id, 0, AbortSignal.timeout(30_000));
      await provider.start(place.instance.id, AbortSignal.timeout(30_000));
      return (await provider.inspect(place.instance.id, AbortSignal.timeout(30_000)))!;
    },
    async remove() {
      await provider.destroy(place.instance.id, { volumes: true }, AbortSignal.timeout(30_000));
      await transport.close();
      await place.close();
      await dockerd.stop();
    },
  };
}

async function dockerPlace(socketPath: string, id: string): Promise<Place & { close(): Promise<void> }> {
  const transport = createLocalTransport({ clock: systemClock });
  const provider = createDockerProvider({ transport, clock: systemClock, socketPath });
  const instance = (await provider.inspect(id, AbortSignal.timeout(10_000)))!;
  return {
    words: ["docker", socketPath, id],
    provider,
    instance,
    sh: (script) => shOver(provider, id, script),
    controlProcesses: () => controls(instance.runDir)(provider, id),
    close: () => transport.close(),
    remove: () => Promise.reject(new Error("only its maker removes it")),
  };
}
