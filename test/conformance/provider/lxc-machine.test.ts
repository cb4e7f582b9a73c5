// Test run: about 60 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { systemClock as clock, systemRandom as random } from "../../../src/base/system.ts";
import { createLxcProvider } from "../../../src/providers/lxc/lxc-provider.ts";
import { instanceId, type InstanceExecOptions, type InstanceSpec, type Provider, type ProviderError } from "../../../src/providers/provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { relay } from "../../../src/transports/ssh/relay.ts";
import { eventually } from "../../harness/eventually.ts";
import { heldByContainers, lxcUnavailable } from "../../harness/lxc.ts";

const why = lxcUnavailable();

interface World {
  readonly provider: Provider;
  /** Everything of the provider, and more of the test. */
  readonly dir: string;
  readonly lxcPath: string;
  readonly signal: AbortSignal;
  /** Made and started; its id. */
  running(more?: Partial<InstanceSpec>): Promise<string>;
  spec(more?: Partial<InstanceSpec>): InstanceSpec;
  sh(id: string, script: string, options?: InstanceExecOptions): Promise<{ readonly code: number | undefined; readonly stdout: string; readonly stderr: string }>;
}

let made = 0;

/** What is left of the machine afterwards is compared with what there was before. */
async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "vd-lxc-"));
  const transport = createLocalTransport({ clock });
  const provider = createLxcProvider({ transport, clock, random, relay, dir: () => Promise.resolve(dir) });
  const signal = AbortSignal.timeout(60_000);
  const spec = (more: Partial<InstanceSpec> = {}): InstanceSpec => ({
    owner: { cluster: "conform", uid: `u${process.pid}x${made++}`, namespace: "default", name: "dev" }, generation: 1, specHash: "h", hostname: "dev", image: "busybox", imagePullPolicy: "Never",
    env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {}, ...more,
  });
  const running = async (more: Partial<InstanceSpec> = {}) => {
    const own = spec(more);
    await provider.create(own, () => {}, signal);
    await provider.start(instanceId(own.owner), signal);
    return instanceId(own.owner);
  };
  const sh = async (id: string, script: string, options: InstanceExecOptions = {}) => {
    const stream = await provider.exec(id, ["sh", "-c", script], options);
    let stdout = "";
    let stderr = "";
    stream.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    stream.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    stream.stdin.end();
    return { code: (await stream.exit).code, stdout, stderr };
  };
  try {
    await use({ provider, dir, lxcPath: join(dir, "lxc"), signal, running, spec, sh });
  } finally {
    for (const { id } of await provider.list("conform", signal)) await provider.destroy(id, { volumes: true }, signal);
    const held = heldByContainers(dir);
    await transport.close();
    rmSync(dir, { recursive: true, force: true });
    assert.deepEqual(held, [], "nothing of the machine is still held");
  }
}

const initPid = (world: World, id: string) => Number(readFileSync(join(world.lxcPath, id, "init"), "utf8").split(" ")[0]);

if (why !== undefined) it("lxc, and the machine it is on", { skip: why }, () => {});
else
  describe("lxc, and the machine it is on", { timeout: 240_000 }, () => {
    it("mounts the worktree with the node's owners, a file, memory, and what may only be read", () =>
      withWorld(async ({ dir, running, sh }) => {
        const tree = join(dir, "a tree");
        mkdirSync(tree);
        writeFileSync(join(tree, "mine"), "from outside\n");
        for (const each of [tree, join(tree, "mine")]) chownSync(each, 1234, 1234);
        writeFileSync(join(dir, "one.conf"), "one\n");
        const id = await running({
          mounts: [
            { kind: "bind", source: tree, target: "/src", readOnly: false },
            { kind: "bind", source: tree, target: "/a place/to read", readOnly: true },
            { kind: "bind", source: join(dir, "one.conf"), target: "/etc/one.conf", readOnly: true },
            { kind: "tmpfs", target: "/fast", sizeBytes: 1024 * 1024 },
          ],
        });
        const inside = await sh(id, `cat /src/mine /etc/one.conf; stat -c %u /src /src/mine; echo from inside >/src/new; touch "/a place/to read/x" || echo refused; dd if=/dev/zero of=/fast/big bs=1M count=2 || echo full`);
        assert.equal(inside.stdout, "from outside\none\n1234\n1234\nrefused\nfull\n", inside.stderr);
        assert.equal(readFileSync(join(tree, "new"), "utf8"), "from inside\n");
        assert.equal(statSync(join(tree, "new")).uid, 0, "root's inside is root's outside, as in Docker");
      }));

    it("is unprivileged where the node has ids for that, and says when it is not", () =>
      withWorld(async ({ provider, running, sh, signal }) => {
        const hasIds = /^root:/m.test(readFileSync("/etc/subuid", "utf8"));
        const id = await running();
        const privileged = await running({ engine: { privileged: true } });
        const start = async (of: string) => Number((await sh(of, "cat /proc/self/uid_map")).stdout.trim().split(/\s+/)[1]);
        assert.equal((await start(id)) > 0, hasIds);
        assert.deepEqual((await provider.inspect(id, signal))?.remarks?.length, hasIds ? 0 : 1);
        assert.equal(await start(privileged), 0);
        assert.match((await provider.inspect(privileged, signal))?.remarks?.join() ?? "", /root inside is root of the node/);
      }));

    it("notices an init that is killed, hints at it, and starts anew with the same address and disk", () =>
      withWorld(async (world) => {
        const { provider, running, sh, signal } = world;
        const abort = new AbortController();
        const hints: string[] = [];
        const following = (async () => {
          for await (const hint of provider.events!("conform", abort.signal)) hints.push(hint);
        })().catch(() => {
          // Ended by the test.
        });
        await eventually(() => assert.deepEqual(hints, [""]), 5000, 20);
        const id = await running();
        await sh(id, "echo kept >/root/file");
        const before = await provider.inspect(id, signal);
        hints.length = 0;
        process.kill(initPid(world, id), "SIGKILL");
        await eventually(() => assert.deepEqual(hints, [id]), 5000, 20);
        assert.equal((await provider.inspect(id, signal))?.state, "stopped");
        await assert.rejects(sh(id, "true"), (error: ProviderError) => error.reason === "NotRunning");
        await provider.start(id, signal);
        const after = await provider.inspect(id, signal);
        assert.notEqual(after?.startId, before?.startId);
        assert.equal(after?.address, before?.address);
        assert.equal((await sh(id, "cat /root/file")).stdout, "kept\n");
        abort.abort();
        await following;
      }));

    it("starts a container anew whose monitor was killed, and leaves nothing of either", () =>
      withWorld(async (world) => {
        const { provider, running, sh, signal } = world;
        const id = await running();
        // Its init ends with it, and nobody is left to clean up or to hint.
        process.kill(Number(readFileSync(join(world.lxcPath, id, "monitor"), "utf8")), "SIGKILL");
        await eventually(async () => assert.equal((await provider.inspect(id, signal))?.state, "stopped"), 5000);
        await provider.start(id, signal);
        assert.equal((await sh(id, "echo up")).stdout, "up\n");
        await provider.destroy(id, { volumes: true }, signal);
      }));

    it("keeps no other container's network from going", () =>
      withWorld(async ({ running, lxcPath }) => {
        const name = `vd-test-${process.pid}`;
        execFileSync("ip", ["netns", "add", name]);
        try {
          const id = await running();
          const [here, there] = ["self", readFileSync(join(lxcPath, id, "monitor"), "utf8").trim()].map((pid) => readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
          assert.ok(here!.includes(`/netns/${name} `) && !there!.includes(" - nsfs "), there);
        } finally {
          execFileSync("ip", ["netns", "del", name]);
        }
      }));
    it("believes no note of a process that is another one by now", () =>
      withWorld(async (world) => {
        const { provider, running, signal } = world;
        const id = await running();
        await provider.stop(id, 0, signal);
        const note = join(world.lxcPath, id, "init");
        const [, , boot, since] = readFileSync(note, "utf8").trim().split(" ");
        writeFileSync(note, `${process.pid} 1 ${boot} ${since}\n`);
        assert.equal((await provider.inspect(id, signal))?.state, "stopped");
        await provider.destroy(id, { volumes: true }, signal);
        assert.equal(await provider.inspect(id, signal), undefined, "and the test still runs");
      }));

    it("tells a frozen one, and starting it lets it go on", () =>
      withWorld(async ({ provider, lxcPath, running, signal }) => {
        const id = await running();
        const before = await provider.inspect(id, signal);
        execFileSync("lxc-freeze", ["-P", lxcPath, "-n", id]);
        const paused = await provider.inspect(id, signal);
        assert.deepEqual([paused?.state, paused?.startId], ["paused", before?.startId]);
        await provider.start(id, signal);
        assert.deepEqual(await provider.inspect(id, signal), before);
        execFileSync("lxc-freeze", ["-P", lxcPath, "-n", id]);
        await provider.destroy(id, { volumes: true }, signal);
      }));

    it("is reached without any network, too, and has none but its own loopback then", () =>
      withWorld(async ({ provider, running, sh, signal }) => {
        const id = await running({ engine: { network: "empty" } });
        assert.deepEqual((await sh(id, "ls /sys/class/net")).stdout.trim().split(/\s+/), ["lo"]);
        assert.equal((await provider.inspect(id, signal))?.address, undefined);
        const server = await provider.exec(id, ["sh", "-c", "echo found >/tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp"], {});
        server.stdout.resume();
        server.stderr.resume();
        const answer = await eventually(async () => {
          const connection = await provider.dial(id, 8080, signal);
          connection.end("GET /index.html HTTP/1.0\r\n\r\n");
          let said = "";
          for await (const chunk of connection) said += String(chunk);
          return said;
        }, 10_000);
        assert.match(answer, /found/);
        await assert.rejects(provider.dial(id, 1, signal), (error: ProviderError) => error.reason === "ConnectionRefused");
        server.kill("SIGKILL");
        await server.exit;
      }));

    it("gives each its address on one bridge, where they reach each other; the bridge goes with the last", () =>
      withWorld(async ({ provider, running, sh, signal }) => {
        const [one, two] = [await running(), await running()];
        const address = async (id: string) => (await provider.inspect(id, signal))!.address!;
        assert.notEqual(await address(one), await address(two));
        assert.equal((await sh(two, `ping -c 1 -W 5 ${await address(one)} >/dev/null; echo $?`)).stdout, "0\n");
        assert.match((await sh(one, "ip route; cat /etc/hosts /etc/hostname; hostname")).stdout, /default via [\s\S]*dev\ndev\ndev\n$/);
        const bridges = () => execFileSync("sh", ["-c", "ip -o link show type bridge | grep -c ' vl[0-9a-f]*:' || true"], { encoding: "utf8" }).trim();
        const rules = () => execFileSync("sh", ["-c", "{ iptables -t nat -S; iptables -S; } | grep -c 'MASQUERADE\\| vl' || true"], { encoding: "utf8" }).trim();
        assert.deepEqual([bridges(), rules()], ["1", "3"]);
        await provider.destroy(one, { volumes: true }, signal);
        assert.deepEqual([bridges(), rules()], ["1", "3"]);
        await provider.destroy(two, { volumes: true }, signal);
        assert.deepEqual([bridges(), rules()], ["0", "0"]);
      }));

    it("takes a tarball whose checksum it checks, or a directory; what has no init waits, and asks all to end", () =>
      withWorld(async ({ provider, dir, running, sh, spec, signal }) => {
        const root = join(dir, "root");
        mkdirSync(join(root, "bin"), { recursive: true });
        mkdirSync(join(root, "etc"));
        writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\ndev:x:1000:1001::/home/dev:/bin/sh\n");
        execFileSync("cp", ["/bin/busybox", join(root, "bin/busybox")]);
        execFileSync("sh", ["-c", `cd "$1/bin" && for each in sh cat sleep id mkdir kill pwd; do ln -s busybox $each; done`, "sh", root]);
        const tarball = join(dir, "root.tar.gz");
        execFileSync("tar", ["-C", root, "-czf", tarball, "."]);
        const imageChecksum = `sha256:${createHash("sha256").update(readFileSync(tarball)).digest("hex")}`;
        await assert.rejects(provider.create(spec({ image: tarball, imageChecksum: `sha256:${"0".repeat(64)}` }), () => {}, signal), (error: ProviderError) => error.reason === "ImageChecksumMismatch" && error.message.includes(imageChecksum));
        await assert.rejects(provider.create(spec({ image: join(dir, "none.tar") }), () => {}, signal), (error: ProviderError) => error.reason === "ImageNotFound");
        const told: string[] = [];
        const own = spec({ image: tarball, imageChecksum, user: "dev", workingDir: "/work/here", mounts: [{ kind: "volume", name: "data", target: "/data", readOnly: false }] });
        await provider.create(own, (_message, milestone) => told.push(milestone ?? ""), signal);
        assert.deepEqual(told, ["Pulling", "Pulled"]);
        const id = instanceId(own.owner);
        await provider.start(id, signal);
        assert.equal((await sh(id, "id -u; id -g", { workingDir: "/" })).stdout, "1000\n1001\n");
        assert.equal((await sh(id, "id -u; id -g; pwd", { user: "0" })).stdout, "0\n0\n/work/here\n");
        await assert.rejects(sh(id, "true", { user: "nobody-here" }), (error: ProviderError) => error.reason === "InvalidSpec");
        const listener = await provider.exec(id, ["sh", "-c", "trap 'echo asked >/data/asked; exit' TERM; echo up; while :; do sleep 1; done"], { user: "0" });
        listener.stderr.resume();
        await new Promise((resolve) => listener.stdout.once("data", resolve));
        await provider.stop(id, 10, signal);
        await listener.exit.catch(() => {
          // The way to it may end with the instance.
        });
        assert.ok(existsSync(join(dir, "lxc-work", id, "volumes/data/asked")));
        const second = await running({ image: root });
        assert.match((await sh(second, "cat /etc/passwd")).stdout, /^dev:/m);
      }));

    it("makes an image again that somebody removed", () =>
      withWorld(async ({ provider, dir, running, sh, signal }) => {
        const id = await running();
        await sh(id, "echo kept >/root/file");
        await provider.stop(id, 0, signal);
        rmSync(join(dir, "lxc-images"), { recursive: true });
        await provider.start(id, signal);
        assert.equal((await sh(id, "cat /root/file")).stdout, "kept\n");
      }));

    it("holds memory and processor to their limits", () =>
      withWorld(async ({ running, sh }) => {
        const id = await running({ resources: { cpus: 0.2, memoryBytes: 48 * 1024 * 1024, pidsMax: 64 } });
        const hungry = await sh(id, "head -c 200000000 /dev/zero | tail -n 1 >/dev/null; echo $?");
        assert.notEqual(hungry.stdout, "0\n", "200 MB do not fit into 48 MiB");
        const busy = await sh(id, "set -- $(cat /proc/uptime); from=${1%.*}; while set -- $(cat /proc/uptime); [ $((${1%.*} - from)) -lt 3 ]; do :; done; times | tail -n 1");
        const [, minutes, seconds] = /^(\d+)m([\d.]+)s/.exec(busy.stdout.trim()) ?? [];
        assert.ok(Number(minutes) * 60 + Number(seconds) < 2, `a fifth of a core for three to four seconds is not ${busy.stdout}`);
      }));

    it("shows what was made by half as broken, makes it anew, and sees no one else's", () =>
      withWorld(async ({ provider, lxcPath, running, spec, signal }) => {
        await running();
        const own = spec();
        const id = instanceId(own.owner);
        mkdirSync(join(lxcPath, id, "disk/upper"), { recursive: true });
        mkdirSync(join(lxcPath, "somebodys"));
        const broken = await provider.inspect(id, signal);
        assert.deepEqual([broken?.state, broken?.problems], ["broken", ["its creation was cut off"]]);
        await provider.create(own, () => {}, signal);
        assert.equal((await provider.inspect(id, signal))?.state, "created");
        assert.ok(!(await provider.list("conform", signal)).some((each) => each.id === "somebodys"));
        await provider.destroy("somebodys", { volumes: true }, signal).catch((error: ProviderError) => assert.equal(error.reason, "NotFound"));
        assert.ok(existsSync(join(lxcPath, "somebodys")));
      }));

    it("does each verb once, however many ask at the same moment", () =>
      withWorld(async ({ provider, lxcPath, spec, sh, signal }) => {
        const own = spec();
        const id = instanceId(own.owner);
        const thrice = (ask: () => Promise<void>) => Promise.all([ask(), ask(), ask()]);
        await thrice(() => provider.create(own, () => {}, signal));
        await thrice(() => provider.start(id, signal));
        const { startId } = (await provider.inspect(id, signal))!;
        await thrice(() => provider.start(id, signal));
        assert.equal((await provider.inspect(id, signal))?.startId, startId);
        assert.equal((await sh(id, "echo up")).stdout, "up\n");
        await thrice(() => provider.stop(id, 0, signal));
        assert.equal((await provider.inspect(id, signal))?.state, "stopped");
        await provider.start(id, signal);
        await thrice(() => provider.destroy(id, { volumes: true }, signal));
        assert.ok(!existsSync(join(lxcPath, id)));
      }));

    it("passes closed directories to its own without opening them", () =>
      withWorld(async ({ dir, running, sh }) => {
        const closed = join(dir, "closed");
        mkdirSync(join(closed, "tree"), { recursive: true });
        for (const each of [dir, closed]) chmodSync(each, 0o700);
        const id = await running({ mounts: [{ kind: "bind", source: join(closed, "tree"), target: "/src", readOnly: false }] });
        assert.equal((await sh(id, "touch /src/x; echo $?")).stdout, "0\n");
        for (const each of [dir, closed]) assert.equal(statSync(each).mode & 0o777, 0o700);
      }));

    it("takes snapshots of a running disk, puts them back into a stopped one, and keeps them like volumes", () =>
      withWorld(async ({ provider, dir, running, sh, signal }) => {
        const snapshots = provider.snapshots!;
        const id = await running();
        await sh(id, "echo one >/root/file; rm /etc/fstab");
        await snapshots.take(id, "first", signal);
        await snapshots.take(id, "first", signal);
        await sh(id, "echo two >/root/file; touch /root/more /etc/fstab");
        assert.deepEqual((await snapshots.list(id, signal)).map(({ name }) => name), ["first"]);
        await assert.rejects(snapshots.restore(id, "first", signal), (error: ProviderError) => error.reason === "StillRunning");
        await provider.stop(id, 0, signal);
        await assert.rejects(snapshots.restore(id, "second", signal), (error: ProviderError) => error.reason === "SnapshotNotFound");
        await snapshots.restore(id, "first", signal);
        await provider.start(id, signal);
        assert.equal((await sh(id, "cat /root/file; ls /root /etc/fstab 2>&1 | grep -c 'more\\|^/etc/fstab$'")).stdout, "one\n0\n");
        await snapshots.remove(id, "first", signal);
        await snapshots.remove(id, "first", signal);
        assert.deepEqual(await snapshots.list(id, signal), []);
        await snapshots.take(id, "last", signal);
        await provider.destroy(id, { volumes: false }, signal);
        assert.deepEqual((await snapshots.list(id, signal)).map(({ name }) => name), ["last"]);
        await provider.destroy(id, { volumes: true }, signal);
        assert.ok(!existsSync(join(dir, "lxc-work", id)));
      }));
  });
