// Test run: about 60 s.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { instanceId, type InstanceSpec, type Provider, type ProviderError } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import { freePort } from "../../harness/ports.ts";
import { qemuPlace, type QemuPlace } from "../../harness/qemu-place.ts";
import { qemuUnavailable, tinyGuest, type TinyGuest } from "../../harness/tiny-guest.ts";

const why = qemuUnavailable();
const owner = { cluster: "conform", uid: "u", namespace: "default", name: "dev" };
const id = instanceId(owner);
const signal = () => AbortSignal.timeout(120_000);
const none = () => {};

const specOf = ({ image, pc }: TinyGuest, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
  owner, generation: 1, specHash: "h", hostname: "dev", image, imagePullPolicy: "IfNotPresent", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [],
  resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: pc, ...more,
});

async function withPlace(use: (place: QemuPlace, guest: TinyGuest) => Promise<void>): Promise<void> {
  const guest = await tinyGuest();
  const place = qemuPlace();
  try {
    await use(place, guest);
  } finally {
    await place.provider.destroy(id, { volumes: true }, signal());
    await place.close();
  }
}

async function run(provider: Provider, script: string, user?: string): Promise<string> {
  const stream = await provider.exec(id, ["sh", "-c", script], { user, signal: signal() });
  let said = "";
  for (const each of [stream.stdout, stream.stderr]) each.on("data", (chunk: Buffer) => (said += chunk.toString()));
  stream.stdin.end();
  const { code } = await stream.exit;
  return code === 0 ? said.trim() : `${said.trim()} [${code}]`;
}

const pidOf = ({ dir }: QemuPlace) => Number(readFileSync(join(dir, "qemu", id, "run"), "utf8").split(" ")[0]);

if (why !== undefined) it("qemu machines", { skip: why }, () => {});
else
  describe("qemu, and what is special to machines", { timeout: 600_000 }, () => {
    it("has the processors, memory, processes, disks, directories and users that its spec says", () =>
      withPlace(async (place, guest) => {
        const { provider, dir } = place;
        const shared = join(dir, "shared, it is");
        mkdirSync(shared);
        writeFileSync(join(shared, "from-node"), "hello\n");
        await provider.create(
          specOf(guest, {
            env: { GREETING: "it's" }, workingDir: "/etc", user: "dev",
            resources: { cpus: 1.5, memoryBytes: 200 * 1024 ** 2, pidsMax: 20, diskBytes: 3 * 1024 ** 3 },
            mounts: [{ kind: "bind", source: shared, target: "/src", readOnly: false }, { kind: "bind", source: shared, target: "/src-ro", readOnly: true }, { kind: "tmpfs", target: "/scratch", sizeBytes: 8 * 1024 ** 2 }, { kind: "volume", name: "data", target: "/data dir", readOnly: false }],
            engine: { ...guest.pc, disks: [{ name: "more", sizeBytes: 64 * 1024 ** 2 }] },
          }),
          none, signal(),
        );
        await provider.start(id, signal());
        assert.equal(await run(provider, "nproc"), "2");
        assert.ok(Number(await run(provider, "awk '/MemTotal/{print $2}' /proc/meminfo")) < 200 * 1024);
        assert.equal(await run(provider, "cat /sys/block/vda/size"), String((3 * 1024 ** 3) / 512));
        assert.equal(await run(provider, 'for each in /sys/block/*/serial; do [ "$(cat $each)" = more ] && cat ${each%/serial}/size; done'), String((64 * 1024 ** 2) / 512));
        assert.equal(await run(provider, 'echo "$(id -un) $(id -gn) $PWD $GREETING $HOME"'), "dev dev /etc it's /tmp");
        assert.match(await run(provider, "echo no > /etc/x"), /\[1\]$/);
        assert.equal(await run(provider, "cat /src/from-node; echo back > /src/from-machine; cat /src-ro/from-machine; (echo x > /src-ro/y) 2>/dev/null || echo refused", "root"), "hello\nback\nrefused");
        assert.equal(readFileSync(join(shared, "from-machine"), "utf8"), "back\n");
        assert.match(await run(provider, "grep -c ' /scratch tmpfs .*size=8192k' /proc/mounts; hostname; df -m '/data dir' | tail -n 1 | awk '{print ($2 > 9000)}'"), /^1\ndev\n1$/);
        assert.doesNotMatch(await run(provider, "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo done"), /done/);
      }));

    it("is told at once when its process is killed, starts again, and is found by another server", () =>
      withPlace(async (place, guest) => {
        const { provider, dir } = place;
        const ports = [{ port: 80, nodePort: await freePort(), protocol: "tcp" as const }];
        await provider.create(specOf(guest, { ports }), none, signal());
        const ending = new AbortController();
        const seen: string[] = [];
        const following = (async () => {
          for await (const each of provider.events!(owner.cluster, ending.signal)) seen.push(each);
        })().catch(() => {
          // Ended by the test.
        });
        await provider.start(id, signal());
        const first = await provider.inspect(id, signal());

        // Frozen by somebody, and let go on: the same start of it.
        await monitorSays(place, "stop");
        assert.equal((await provider.inspect(id, signal()))?.state, "paused");
        await provider.start(id, signal());
        assert.deepEqual(await provider.inspect(id, signal()), first);

        // Ports change while it runs.
        await run(provider, "echo one > /tmp/index.html; cd /tmp; busybox httpd -p 80; busybox httpd -p 81");
        const answers = async (port: number) => (await (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) })).text()).trim();
        await eventually(async () => assert.equal(await answers(ports[0]!.nodePort), "one"), 20_000);
        const moved = [{ port: 81, nodePort: await freePort(), protocol: "tcp" as const }];
        await provider.publish!(id, moved, signal());
        assert.deepEqual((await provider.inspect(id, signal()))?.ports, moved);
        await eventually(async () => assert.equal(await answers(moved[0]!.nodePort), "one"), 20_000);
        await assert.rejects(answers(ports[0]!.nodePort));
        const taken = createServer().listen(0, "127.0.0.1");
        await new Promise((resolve) => taken.once("listening", resolve));
        const { port: takenPort } = taken.address() as AddressInfo;
        await assert.rejects(provider.publish!(id, [...moved, { port: 82, nodePort: takenPort, protocol: "tcp" }], signal()), (error: ProviderError) => error.reason === "PortInUse" && error.message.includes(String(takenPort)));
        await new Promise((resolve) => taken.close(resolve));

        // A snapshot of a disk in use, and what it is good for.
        await run(provider, "echo before > /root/file");
        await provider.snapshots!.take(id, "good", signal());
        await provider.snapshots!.take(id, "good", signal());
        await run(provider, "echo after > /root/file; sync; echo last words > /dev/console");
        await assert.rejects(provider.snapshots!.restore(id, "good", signal()), (error: ProviderError) => error.reason === "StillRunning");

        seen.length = 0;
        process.kill(pidOf(place), "SIGKILL");
        await eventually(() => assert.ok(seen.includes(id)), 20_000, 20);
        assert.equal((await provider.inspect(id, signal()))?.state, "stopped");
        assert.equal(await provider.usage!(id, signal()), undefined);
        await assert.rejects(run(provider, "true"), (error: ProviderError) => error.reason === "NotRunning");
        assert.match(await provider.console!(id, 100_000, signal()), /last words/);
        await provider.snapshots!.restore(id, "good", signal());
        assert.deepEqual((await provider.snapshots!.list(id, signal())).map(({ name }) => name), ["good"]);

        const other = place.again();
        await other.start(id, signal());
        assert.equal(await run(other, "cat /root/file"), "before");
        assert.equal(await run(provider, "cat /root/file"), "before", "the first one notices that it was started anew");
        assert.notEqual((await provider.inspect(id, signal()))?.startId, first?.startId);
        ending.abort();
        await following;

        await provider.destroy(id, { volumes: true }, signal());
        await eventually(() => assert.deepEqual(processesIn(dir), []), 10_000);
        assert.deepEqual([...readdirSync(join(dir, "qemu")), ...readdirSync(join(dir, "qemu", "work"))], ["work"]);
      }));

    it("never believes or signals a process that is not the one on record", () =>
      withPlace(async (place, guest) => {
        const { provider, dir } = place;
        await provider.create(specOf(guest), none, signal());
        const stranger = spawn("sleep", ["1000"], { stdio: "ignore" });
        try {
          const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
          for (const stale of [`${stranger.pid} 1 ${boot} 0 25000`, `${stranger.pid} ${startTimeOf(stranger.pid!)} another-boot 0 25000`, "nonsense", ""]) {
            writeFileSync(join(dir, "qemu", id, "run"), `${stale}\n`);
            assert.notEqual((await provider.inspect(id, signal()))?.state, "running", stale);
            await provider.stop(id, 0, signal());
          }
          await provider.destroy(id, { volumes: true }, signal());
          assert.ok(stranger.exitCode === null && stranger.signalCode === null);
        } finally {
          stranger.kill("SIGKILL");
        }
        // Half-made: found, told, removed.
        mkdirSync(join(dir, "qemu", id, "seed"), { recursive: true });
        assert.deepEqual((await provider.list(owner.cluster, signal())).map((each) => [each.id, each.state, each.owner.uid]), [[id, "broken", "u"]]);
        await provider.destroy(id, { volumes: false }, signal());
        assert.ok(!existsSync(join(dir, "qemu", id)));
      }));

    it("fetches an image once, checks it, and refuses what it is not", () =>
      withPlace(async ({ provider, dir }, guest) => {
        const disk = join(dir, "small.qcow2");
        execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "1G"]);
        const bytes = readFileSync(disk);
        const checksum = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
        let asked = 0;
        const server = createServer((request, response) => {
          asked++;
          response.writeHead(request.url === "/small.qcow2" ? 200 : 404).end(request.url === "/small.qcow2" ? bytes : "");
        }).listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        const create = async (more: Partial<InstanceSpec>) => {
          const said: string[] = [];
          await provider.create(specOf(guest, more), (message, milestone) => said.push(milestone ?? message), signal());
          await provider.destroy(id, { volumes: true }, signal());
          return said;
        };
        const refused = async (more: Partial<InstanceSpec>, reason: string, message: RegExp) => {
          await assert.rejects(create(more), (error: ProviderError) => error.reason === reason && message.test(error.message));
        };
        try {
          await refused({ image: `${at}/small.qcow2`, imagePullPolicy: "Never" }, "ImageNotFound", /Never/);
          const both = await Promise.all([create({ image: `${at}/small.qcow2`, imageChecksum: checksum }), provider.create(specOf(guest, { owner: { ...owner, uid: "v" }, image: `${at}/small.qcow2`, imageChecksum: checksum }), none, signal())]);
          await provider.destroy(instanceId({ ...owner, uid: "v" }), { volumes: true }, signal());
          assert.equal(asked, 1, "two at once fetch once");
          assert.ok(both[0].length === 0 || both[0].includes("Pulled"));
          assert.deepEqual(await create({ image: `${at}/small.qcow2`, imageChecksum: checksum }), []);
          assert.equal((await create({ image: `${at}/small.qcow2`, imageChecksum: checksum, imagePullPolicy: "Always" })).at(-1), "Pulled");
          assert.equal(asked, 2);
          await refused({ image: `${at}/small.qcow2`, imageChecksum: `sha256:${"0".repeat(64)}` }, "ChecksumMismatch", /it has sha256:/);
          await refused({ image: `${at}/none` }, "ImageNotFound", /none/);
          assert.deepEqual(readdirSync(join(dir, "qemu-images")).filter((name) => name.includes("part")), []);
          await create({ image: disk, imageChecksum: checksum });
          writeFileSync(disk, "other");
          await refused({ image: disk, imageChecksum: checksum }, "ChecksumMismatch", /it has sha256:/);
          execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", join(dir, "layer.qcow2")]);
          await refused({ image: join(dir, "layer.qcow2") }, "InvalidSpec", /layer over another file/);
          await refused({ resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined, diskBytes: 1024 } }, "InvalidSpec", /image alone has/);
          await refused({ engine: { ...guest.pc, kernel: "/no/kernel" } }, "ImageNotFound", /no \/no\/kernel/);
          await refused({ mounts: [{ kind: "bind", source: "/etc/hostname", target: "/x", readOnly: true }] }, "InvalidSpec", /directories only/);
        } finally {
          await new Promise((resolve) => server.close(resolve));
        }
      }));
  });

async function monitorSays({ transport, dir }: QemuPlace, command: string): Promise<void> {
  const pid = Number(readFileSync(join(dir, "qemu", id, "run"), "utf8").split(" ")[0]);
  const stream = await transport.dial({ socketPath: `/proc/${pid}/cwd/qmp.sock` }, signal());
  let said = "";
  stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  stream.write(`{"execute":"qmp_capabilities"}\n{"execute":"${command}","id":"asked"}\n`);
  await eventually(() => assert.match(said, /"id": "asked"/), 10_000, 20);
  stream.destroy();
}

function startTimeOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[19]!;
}

/** Processes that work in a directory below this one. */
function processesIn(dir: string): string[] {
  return execFileSync("sh", ["-c", 'for each in /proc/[0-9]*/cwd; do case "$(readlink $each)" in "$1"/*) echo $each;; esac; done', "sh", dir], { encoding: "utf8" }).split("\n").filter((line) => line !== "");
}
