// Test run: about 55 s.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { clusterIdOf } from "../../src/api/cluster-id.ts";
import type { Namespace } from "../../src/api/namespace.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { systemClock } from "../../src/base/system.ts";
import { counted, leaks, takeCensus, type Census, type CensusOf } from "../harness/census.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerApi } from "../harness/docker-api.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { lxcUnavailable } from "../harness/lxc.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { qemuUnavailable, tinyGuest } from "../harness/tiny-guest.ts";
import { httpd, writeManifests } from "./stack.ts";

const why = dockerUnavailable() ?? lxcUnavailable() ?? sshdUnavailable() ?? qemuUnavailable();

/** An engine's listing alone would find it out after this long on average, and twice as long at the worst: ARCHITECTURE.md. */
const listingMs = 5000;

describe("what engines run is killed behind vendetta's back", { timeout: 400_000, skip: why }, () => {
  let cli: TestCli;
  let store: HttpStore;
  let dockerd: TestDockerd;
  let sshd: TestSshd;
  let there: string;
  let local: string;
  let file: string;
  let counting: CensusOf;
  let atRest: Census;

  before(async () => {
    there = mkdtempSync(join(tmpdir(), "vd-there-"));
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    sshd = await startSshd({ home: there });
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    local = (await cli.json<{ items: Node[] }>("nodes")).items[0]!.metadata.name;
    const cluster = clusterIdOf(await cli.json<Namespace>("namespace", "default"));
    store = createHttpStore({ socketPath: (JSON.parse(readFileSync(join(cli.home, "server.json"), "utf8")) as { socketPath: string }).socketPath, clock: systemClock, userAgent: "engine-kills" });
    counting = { cluster, dirs: [join(cli.home, "instances"), join(there, ".local/share/vendetta", cluster, "instances")], kept: /instances\/(lxc-images|lxc-node|lxc-work$|lxc$|qemu$|qemu\/work$)/, connections: /^sshd: |vendetta_line/, mountDirs: [dirname(dockerd.socketPath)] };
    await cli.ok("apply", "-f", writeManifests(cli.home, "far.yaml", [sshNode("far", sshd)]), "--wait");
    await eventually(async () => {
      for (const name of [local, "far"]) assert.equal((await store.get("Node", { name })).status?.providers?.filter(({ usable }) => usable).length, name === "far" ? 3 : 4);
    }, 30_000);
    // The ear of each engine that has one is there from now on.
    await eventually(() => {
      for (const dir of counting.dirs) assert.equal(readdirSync(join(dir, "lxc-node/watch")).length, 1);
    }, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    atRest = takeCensus(counting);
    const { image, engine } = await tinyGuest();
    const machine = { provider: "qemu", image, qemu: engine, resources: { memory: "128Mi" } };
    file = writeManifests(cli.home, "all.yaml", [
      ...stack("machine", { ...machine, nodeName: local }),
      ...stack("machine-far", { ...machine, nodeName: "far" }),
      ...stack("lxc", { provider: "lxc", image: "busybox", nodeName: local }),
      ...stack("lxc-far", { provider: "lxc", image: "busybox", nodeName: "far" }),
      ...stack("docker", { provider: "docker", image: "busybox:test", nodeName: local }),
    ]);
    const applied = await cli.run(["apply", "-f", file, "--wait", "--timeout", "200s"], { timeoutMs: 220_000 });
    assert.equal(applied.code, 0, `${applied.stdout}\n${applied.stderr}`);
  });
  after(async () => {
    if (file !== undefined) await cli.run(["delete", "-f", file, "--timeout", "100s"], { timeoutMs: 120_000 });
    await store?.close();
    await cli?.dispose();
    await dockerd?.stop();
    await sshd?.stop();
    rmSync(there, { recursive: true, force: true });
  });

  const stack = (name: string, spec: object) => [
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec },
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${name}-web` }, spec: { workspace: name, command: ["sh", "-c", httpd(name)], port: 8001, healthCheck: { http: { path: "/" } } } },
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${name}-worker` }, spec: { workspace: name, command: ["sleep", "100000"], dependsOn: [{ name: `${name}-web` }] } },
  ];
  const workspace = (name: string): Promise<Workspace> => store.get("Workspace", { namespace: "default", name });
  const service = (name: string): Promise<Service> => store.get("Service", { namespace: "default", name });
  const answer = async (name: string) => (await fetch((await service(`${name}-web`)).status!.url!, { signal: AbortSignal.timeout(5000) })).text();
  const isReady = (object: Workspace | Service) => object.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  const dirOf = (name: string) => counting.dirs[name.endsWith("-far") ? 1 : 0]!;
  const pidIn = (...path: string[]) => Number(readFileSync(join(...path), "utf8").split(" ")[0]);

  /** Kills it and waits until both its services are Ready in another start of it; tells after how many ms from then it was noticed. */
  const killAndHeal = async (t: TestContext, name: string, how: RegExp, kill: () => Promise<void> | void) => {
    const was = await workspace(name);
    const { url } = (await service(`${name}-web`)).status!;
    await kill();
    const begun = performance.now();
    const noticedMs = await eventually(async () => {
      assert.notEqual((await workspace(name)).status?.startId, was.status!.startId);
      return performance.now() - begun;
    }, 60_000, 20);
    await eventually(async () => {
      const now = await workspace(name);
      assert.ok(isReady(now) && now.status!.startId !== was.status!.startId);
      for (const each of [`${name}-web`, `${name}-worker`]) {
        const { status } = await service(each);
        assert.ok(isReady(await service(each)) && status!.instanceStartId === now.status!.startId, each);
      }
    }, 90_000, 20);
    t.diagnostic(`${name}: noticed after ${Math.round(noticedMs)} ms, healed after ${Math.round(performance.now() - begun)} ms`);
    assert.equal((await service(`${name}-web`)).status!.url, url, "it answers where it did");
    assert.equal(await answer(name), `${name} answers\n`);
    assert.equal((await workspace(name)).status!.restarts, was.status!.restarts! + 1);
    const told = [await cli.ok("events", "--for", `workspace/${name}`), await cli.ok("explain-state", "workspace", name)];
    for (const text of told) assert.match(text, how);
    assert.match(told[0]!, /Warning +Instance(Ended|Lost) /);
    assert.match(told[1]!, /brought back once; last \d+s ago: /);
    assert.match(await cli.ok("explain-state", "service", `${name}-web`), /last exit: WorkspaceRestarted/);
    return noticedMs;
  };
  const byHint = (noticedMs: number) => assert.ok(noticedMs < listingMs, `it took ${noticedMs} ms`);

  const instanceOf = async (name: string) => (await workspace(name)).status!.instanceId!;

  for (const name of ["machine", "machine-far"]) {
    it(`a QEMU process (${name})`, async (t) => {
      const pid = pidIn(dirOf(name), "qemu", await instanceOf(name), "run");
      byHint(await killAndHeal(t, name, /was ended by SIGKILL/, () => void process.kill(pid, "SIGKILL")));
    });
  }
  for (const [name, whom] of [["lxc", ["init"]], ["lxc-far", ["monitor", "init"]]] as const) {
    // Without a monitor no hook tells anybody.
    it(`of a container of LXC: ${whom.join(", then ")} (${name})`, async (t) => {
      const home = join(dirOf(name), "lxc", await instanceOf(name));
      const pids = whom.map((each) => pidIn(home, each));
      byHint(await killAndHeal(t, name, /ended/, () => {
        for (const pid of pids) process.kill(pid, "SIGKILL");
      }));
    });
  }

  it("dockerd: Unknown while it is away, and when it is back its containers are started again", async (t) => {
    const was = await service("docker-web");
    await dockerd.kill();
    const begun = performance.now();
    await eventually(async () => {
      assert.equal((await workspace("docker")).status!.phase, "Unknown");
      for (const each of ["docker-web", "docker-worker"]) assert.equal((await service(each)).status!.phase, "Unknown");
    }, 30_000, 20);
    const noticedMs = performance.now() - begun;
    byHint(noticedMs);
    assert.match(await cli.ok("explain-state", "service", "docker-web"), /docker\.sock does not answer/);
    const asked = performance.now();
    await killAndHeal(t, "docker", /ended|is gone/, () => dockerd.resume());
    t.diagnostic(`away: noticed after ${Math.round(noticedMs)} ms; back: healed ${Math.round(performance.now() - asked)} ms after it was asked to start`);
    assert.equal((await service("docker-web")).status!.url, was.status!.url);
  });

  it("a machine that never comes up is gone soon when it is deleted, and keeps nobody waiting", async () => {
    const { image, engine } = await tinyGuest();
    const endless = writeManifests(cli.home, "endless.yaml", [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "endless" }, spec: { provider: "qemu", image, qemu: { ...engine, append: "console=ttyS0 init=/nonexistent panic=0" }, nodeName: local, resources: { memory: "128Mi" }, terminationGracePeriodSeconds: 1 } }]);
    await cli.ok("apply", "-f", endless);
    await eventually(async () => assert.ok(pidIn(counting.dirs[0]!, "qemu", await instanceOf("endless"), "run") > 0), 30_000);
    assert.equal((await workspace("endless")).status?.phase, "Starting");
    await cli.ok("delete", "-f", endless, "--timeout", "20s");
  });

  it("leaves nothing behind, here or there", async (t) => {
    await cli.ok("delete", "-f", file, "--timeout", "100s");
    await eventually(async () => assert.deepEqual(await dockerApi(dockerd.socketPath).containers({}), []), 20_000, 500);
    await eventually(() => assert.deepEqual(leaks(atRest, takeCensus(counting)), []), 20_000, 500);
    t.diagnostic(`before: ${counted(atRest)}; after: ${counted(takeCensus(counting))}`);
  });
});
