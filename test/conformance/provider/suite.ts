import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { instanceId, ProviderError, type InstanceExecOptions, type InstanceSpec, type Provider } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";

/** An engine to test, ready to be asked. */
export interface ProviderPlace {
  readonly provider: Provider;
  /** The same provider over an engine that does not answer; undefined when it has no engine. */
  readonly unreachable: Provider | undefined;
  readonly image: string;
  /** The engine's own block of each spec. Default: {}. */
  readonly engine?: InstanceSpec["engine"];
  close(): Promise<void>;
}

const cluster = "conform";
let made = 0;

export interface ProviderConformanceOptions {
  /** Cases this provider is not asked, by name, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
  /** How many times as long as a container's start its instances may take. Default 1. */
  readonly patience?: number;
}

/** The words of provider.ts as cases; every provider is held to them. */
export function providerConformance(name: string, make: () => Promise<ProviderPlace>, { skip = {}, patience = 1 }: ProviderConformanceOptions = {}): void {
  describe(`provider ${name}`, { timeout: 120_000 * patience }, () => {
    let place: ProviderPlace;
    const asked = new Set<string>();
    const ids = new Set<string>();
    const signal = () => AbortSignal.timeout(30_000 * patience);
    const test = (what: string, body: (provider: Provider) => Promise<void>) => {
      asked.add(what);
      it(what, { skip: skip[what] ?? false }, () => body(place.provider));
    };
    const specOf = (more: Partial<InstanceSpec> = {}): InstanceSpec => {
      const spec: InstanceSpec = {
        owner: { cluster, uid: `u${process.pid}x${made++}`, namespace: "default", name: "dev" }, generation: 1, specHash: "hash-1", hostname: "dev", image: place.image,
        imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: place.engine ?? {}, ...more,
      };
      ids.add(instanceId(spec.owner));
      return spec;
    };
    const running = async (provider: Provider, more: Partial<InstanceSpec> = {}) => {
      const spec = specOf(more);
      await provider.create(spec, () => {}, signal());
      await provider.start(instanceId(spec.owner), signal());
      return instanceId(spec.owner);
    };
    const run = async (provider: Provider, id: string, argv: readonly string[], stdin: string | Buffer = "", options: InstanceExecOptions = {}) => {
      const stream = await provider.exec(id, argv, options);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      stream.stdout.on("data", (chunk: Buffer) => out.push(chunk));
      stream.stderr.on("data", (chunk: Buffer) => err.push(chunk));
      stream.stdin.end(stdin);
      const exit = await stream.exit;
      return { ...exit, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString("utf8") };
    };
    const list = async (provider: Provider, of = cluster) => (await provider.list(of, signal())).map((each) => each.id);

    before(async () => {
      place = await make();
    });
    after(async () => {
      for (const id of ids) await place.provider.destroy(id, { volumes: true }, signal());
      await place.close();
    });

    it("skips only cases there are", () => assert.deepEqual(Object.keys(skip).filter((each) => !asked.has(each)), []));

    test("probe says it can be used, and its version", async (provider) => {
      const probe = await provider.probe(signal());
      assert.ok(probe.usable && probe.version !== "");
    });
    test("create, start, inspect and list agree", async (provider) => {
      const spec = specOf();
      const id = instanceId(spec.owner);
      await provider.create(spec, () => {}, signal());
      assert.equal((await provider.inspect(id, signal()))?.state, "created");
      await provider.start(id, signal());
      const found = await provider.inspect(id, signal());
      assert.deepEqual([found?.id, found?.state, found?.specHash, found?.owner], [id, "running", "hash-1", spec.owner]);
      assert.ok(found?.startId !== undefined && found.runDir.startsWith("/"));
      assert.ok((await list(provider)).includes(id));
      assert.ok(!(await list(provider, "other")).includes(id), "INV-4: another cluster does not see it");
    });
    test("a second create of the same owner takes what is there (INV-3)", async (provider) => {
      const id = await running(provider);
      const before = await provider.inspect(id, signal());
      await provider.create(specOf({ owner: before!.owner, specHash: "hash-2" }), () => {}, signal());
      assert.deepEqual((await provider.inspect(id, signal()))?.startId, before?.startId);
      assert.equal((await provider.inspect(id, signal()))?.specHash, "hash-1");
    });
    test("start and stop may be said twice; a new start has a new id", async (provider) => {
      const id = await running(provider);
      const first = (await provider.inspect(id, signal()))?.startId;
      await provider.start(id, signal());
      assert.equal((await provider.inspect(id, signal()))?.startId, first);
      await provider.stop(id, 5, signal());
      await provider.stop(id, 0, signal());
      assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
      await new Promise((resolve) => setTimeout(resolve, 10));
      await provider.start(id, signal());
      assert.notEqual((await provider.inspect(id, signal()))?.startId, first);
    });
    test("stop ends what runs inside, by force when it does not listen", async (provider) => {
      const id = await running(provider);
      const stream = await provider.exec(id, ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], {});
      stream.stdout.resume();
      stream.stderr.resume();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await provider.stop(id, 1, signal());
      await stream.exit.catch(() => {
        // The way to it may end with the instance.
      });
      assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
    });
    test("destroy leaves nothing, and may be said twice", async (provider) => {
      const id = await running(provider);
      await provider.destroy(id, { volumes: true }, signal());
      await provider.destroy(id, { volumes: true }, signal());
      assert.equal(await provider.inspect(id, signal()), undefined);
      assert.ok(!(await list(provider)).includes(id));
      await provider.stop(id, 0, signal());
    });
    test("volumes are kept over a re-creation, and go when asked", async (provider) => {
      const more = { mounts: [{ kind: "volume", name: "data", target: "/data", readOnly: false } as const] };
      const id = await running(provider, more);
      const { owner } = (await provider.inspect(id, signal()))!;
      await run(provider, id, ["sh", "-c", "echo kept > /data/file"]);
      await provider.destroy(id, { volumes: false }, signal());
      await running(provider, { ...more, owner });
      assert.equal((await run(provider, id, ["cat", "/data/file"])).stdout.toString(), "kept\n");
      await provider.destroy(id, { volumes: true }, signal());
      await running(provider, { ...more, owner });
      assert.notEqual((await run(provider, id, ["cat", "/data/file"])).code, 0);
    });
    test("exec tells stdout, stderr and the exit code apart, and feeds stdin", async (provider) => {
      const id = await running(provider);
      const { code, stdout, stderr } = await run(provider, id, ["sh", "-c", "cat; echo err >&2; exit 7"], "in");
      assert.deepEqual([code, stdout.toString(), stderr], [7, "in", "err\n"]);
    });
    test("exec hands on arguments and environment byte for byte", async (provider) => {
      const odd = "a b\n'\"$x\\ü☃";
      const id = await running(provider, { env: { FROM_SPEC: odd } });
      const { stdout } = await run(provider, id, ["sh", "-c", 'printf "%s|%s|%s|%s" "$1" "$2" "$FROM_SPEC" "$FROM_EXEC"', "sh", odd, ""], "", { env: { FROM_EXEC: odd } });
      assert.equal(stdout.toString(), [odd, "", odd, odd].join("|"));
    });
    test("exec carries 10 MB through, binary safe", async (provider) => {
      const id = await running(provider);
      const data = Buffer.alloc(10 * 1024 * 1024, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
      const { code, stdout } = await run(provider, id, ["cat"], data);
      assert.equal(code, 0);
      assert.ok(stdout.equals(data));
    });
    test("exec gives a terminal", async (provider) => {
      const id = await running(provider);
      const stream = await provider.exec(id, ["sh", "-c", "[ -t 0 ] && [ -t 1 ] && echo terminal; read line; echo got $line"], { tty: { columns: 80, rows: 24 } });
      let said = "";
      stream.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      await eventually(() => assert.match(said, /terminal/), 5000, 20);
      stream.stdin.write("hello\n");
      await eventually(() => assert.match(said, /got hello/), 5000, 20);
      assert.equal((await stream.exit).code, 0);
    });
    test("exec can be ended", async (provider) => {
      const id = await running(provider);
      const stream = await provider.exec(id, ["sleep", "1000"], {});
      stream.stdout.resume();
      stream.stderr.resume();
      stream.kill("SIGKILL");
      const { code, signal: by } = await stream.exit;
      assert.ok(code === 137 || by === "SIGKILL", `${code} ${by}`);
    });
    test("exec ends with its signal", async (provider) => {
      const id = await running(provider);
      const abort = new AbortController();
      const stream = await provider.exec(id, ["sleep", "1001"], { signal: abort.signal });
      stream.stdout.resume();
      stream.stderr.resume();
      abort.abort(new Error("enough"));
      await assert.rejects(stream.exit, /enough/);
      await eventually(async () => assert.doesNotMatch((await run(provider, id, ["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null"])).stdout.toString(), /^sleep 1001 $/m), 5000);
    });
    test("exec refuses what does not run, and says when there is no such command", async (provider) => {
      const id = await running(provider);
      const missing = await run(provider, id, ["no-such-command"]).catch((error: unknown) => error as ProviderError);
      assert.ok(missing instanceof ProviderError ? missing.reason === "CommandNotFound" : missing.code === 126 || missing.code === 127);
      await provider.stop(id, 0, signal());
      await assert.rejects(run(provider, id, ["true"]), ProviderError);
    });
    test("dial reaches what listens inside, and says when nothing does", async (provider) => {
      const id = await running(provider);
      const port = 18000 + (process.pid % 1000);
      const server = await provider.exec(id, ["sh", "-c", `echo found > index.html; exec busybox httpd -f -p ${port}`], { workingDir: "/tmp" });
      server.stdout.resume();
      server.stderr.resume();
      await eventually(async () => (await provider.dial(id, port, signal())).destroy(), 5000);
      await assert.rejects(provider.dial(id, 1, signal()), (error: ProviderError) => error.reason === "ConnectionRefused");
      server.kill("SIGKILL");
      await server.exit;
    });
    const published = (offset: number) => [{ port: 80, nodePort: 26000 + (process.pid % 1000) + offset, protocol: "tcp" as const }];
    test("publishes a port where it was told to, and says when that is taken", async (provider) => {
      const ports = published(0);
      const id = await running(provider, { ports });
      assert.deepEqual((await provider.inspect(id, signal()))?.ports, ports);
      await assert.rejects(running(provider, { ports }), (error: ProviderError) => error.reason === "PortInUse" && error.message.includes(String(ports[0]!.nodePort)));
    });
    test("answers on a published port", async (provider) => {
      const ports = published(1000);
      const { nodePort } = ports[0]!;
      const id = await running(provider, { ports });
      const server = await provider.exec(id, ["busybox", "httpd", "-f", "-p", "80", "-h", "/etc"], {});
      server.stdout.resume();
      server.stderr.resume();
      await eventually(async () => assert.match(await (await fetch(`http://127.0.0.1:${nodePort}/passwd`, { signal: AbortSignal.timeout(1000) })).text(), /root/), 5000);
    });
    test("enforces the limits it claims", async (provider) => {
      const id = await running(provider, { resources: { cpus: 0.5, memoryBytes: 32 * 1024 * 1024, pidsMax: 20 } });
      const { stdout } = await run(provider, id, ["sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo done"]);
      assert.doesNotMatch(stdout.toString(), /done/, "forty processes do not fit into twenty");
    });
    test("refuses what it cannot do, with a reason", async (provider) => {
      await assert.rejects(provider.create(specOf({ mounts: [{ kind: "bind", source: "/no/such/place", target: "/x", readOnly: true }] }), () => {}, signal()), (error: ProviderError) => ["MountSourceMissing", "InvalidSpec"].includes(error.reason));
    });
    test("says when there is no such image", async (provider) => {
      await assert.rejects(provider.create(specOf({ image: "no-such-image:1" }), () => {}, signal()), (error: ProviderError) => error.reason === "ImageNotFound" && /no-such-image/.test(error.message));
    });
    test("works on several at once", async (provider) => {
      const all = await Promise.all(Array.from({ length: 5 }, () => running(provider)));
      const said = await Promise.all(all.map(async (id, i) => (await run(provider, id, ["echo", String(i)])).stdout.toString().trim()));
      assert.deepEqual(said, ["0", "1", "2", "3", "4"]);
      assert.deepEqual((await list(provider)).filter((id) => all.includes(id)).sort(), [...all].sort());
    });
    test("tells what an instance uses while it runs", async (provider) => {
      const id = await running(provider);
      const busy = await provider.exec(id, ["sh", "-c", "while :; do :; done"], {});
      const first = await eventually(async () => {
        const usage = await provider.usage!(id, signal());
        assert.ok(usage !== undefined && usage.memoryBytes > 0 && usage.cpuSeconds > 0, JSON.stringify(usage));
        return usage;
      }, 10_000);
      await eventually(async () => assert.ok((await provider.usage!(id, signal()))!.cpuSeconds > first.cpuSeconds), 10_000);
      busy.kill("SIGKILL");
      await busy.exit;
      await provider.stop(id, 0, signal());
      assert.equal(await provider.usage!(id, signal()), undefined);
      assert.equal(await provider.usage!("vendetta-conform-none", signal()), undefined);
    });
    test("hints when something happens", async (provider) => {
      const abort = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        for await (const id of provider.events!(cluster, abort.signal)) seen.push(id);
      })().catch(() => {
        // Ended by the test.
      });
      await eventually(() => assert.ok(seen.length > 0), 5000, 20);
      const id = await running(provider);
      await provider.stop(id, 0, signal());
      await eventually(() => assert.ok(seen.includes(id)), 5000, 20);
      abort.abort();
      await following;
    });
    test("throws when the engine does not answer: unknown is not absent (INV-5)", async () => {
      const provider = place.unreachable!;
      assert.equal((await provider.probe(signal())).usable, false);
      // One after the other: each is waited for before it can fail.
      for (const call of [() => provider.list(cluster, signal()), () => provider.inspect("vendetta-conform-x", signal()), () => provider.destroy("vendetta-conform-x", { volumes: true }, signal())]) {
        await assert.rejects(call, (error: ProviderError) => error.reason === "EngineUnreachable");
      }
    });
  });
}
