// Test run: about 150 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Event } from "../../src/api/event.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { cloudGuest, cloudGuestUnavailable, packagesPort } from "../harness/cloud-guest.ts";
import { eventually } from "../harness/eventually.ts";
import { isLong } from "../harness/long.ts";
import { servePackage } from "../harness/package-repository.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { tinyGuest, type Guest, type TinyGuest } from "../harness/tiny-guest.ts";
import { stackManifests, writeManifests } from "./stack.ts";

const why = cloudGuestUnavailable() ?? sshdUnavailable();

/** The manifests of stack.ts with their Workspace as a machine on that Node. */
function asMachine(nodeName: string, { image, engine }: Guest, manifests: readonly object[]): object[] {
  return manifests.map((each) => ((each as { kind: string }).kind === "Workspace" ? { ...each, spec: { provider: "qemu", nodeName, image, qemu: engine, env: { GREETING: "it's me" }, resources: { memory: "512Mi" } } } : each));
}

describe("Workspaces as virtual machines", { timeout: 900_000, skip: why }, () => {
  let cli: TestCli;
  let sshd: TestSshd;
  let there: string;
  let local: string;
  let file: string | undefined;
  let guest: TinyGuest;

  before(async () => {
    guest = await tinyGuest();
    there = mkdtempSync(join(tmpdir(), "vd-there-"));
    sshd = await startSshd({ home: there });
    cli = createTestCli();
    local = (await cli.json<{ items: Node[] }>("nodes")).items[0]!.metadata.name;
  });
  after(async () => {
    if (file !== undefined) await cli.run(["delete", "-f", file, "--timeout", "120s"], { timeoutMs: 150_000 });
    await cli?.dispose();
    await sshd?.stop();
    rmSync(there, { recursive: true, force: true });
  });

  const workspace = (name: string) => cli.json<Workspace>("workspace", name);
  const service = (name: string) => cli.json<Service>("service", name);
  const apply = async (...manifests: readonly object[]) => {
    file = writeManifests(cli.home, "machines.yaml", manifests);
    const { code, stdout, stderr } = await cli.run(["apply", "-f", file, "--wait", "--timeout", "400s"], { timeoutMs: 420_000 });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
  };
  const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
  /** Of each cluster that has had machines on the other one. */
  const machineDirsThere = () => readdirSync(join(there, ".local/share/vendetta")).map((cluster) => join(there, ".local/share/vendetta", cluster, "instances", "qemu"));
  const machinesIn = (dir: string) => execFileSync("sh", ["-c", 'for each in /proc/[0-9]*/cwd; do case "$(readlink $each)" in "$1"/*/qemu/*) echo ${each#/proc/};; esac; done', "sh", dir], { encoding: "utf8" }).split("\n").filter((line) => line !== "");

  it("kernels booted directly, here and on another machine: the same graph is Ready in each", async () => {
    // A kernel that stands still when it panics, as most do; a PC has the device by which it says so.
    const still = { ...guest, engine: { ...guest.pc, append: guest.pc.append.replace(" panic=-1", "") } };
    await apply(sshNode("far", sshd), ...asMachine(local, guest, stackManifests({ workspace: "near" })), ...asMachine("far", still, stackManifests({ workspace: "away" })));
    for (const name of ["near", "away"]) {
      assert.match(await text((await service(`${name}-web`)).status!.url!), /web answers/);
      assert.deepEqual((await workspace(name)).status?.ports?.map(({ via }) => via), name === "near" ? ["Engine", "Engine", "Engine"] : ["Forward", "Forward", "Forward"]);
      assert.equal((await cli.ok("exec", name, "--", "sh", "-c", 'echo "$(hostname) $GREETING"')).trim(), `${name} it's me`);
      assert.match(await cli.ok("logs", `${name}-worker`, "--tail", "1"), /working/);
    }
    const probe = (await cli.json<Node>("node", local)).status?.providers?.find(({ name }) => name === "qemu");
    assert.ok(probe?.usable);
    await eventually(async () => assert.match((await cli.json<Node>("node", local)).status?.providers?.find(({ name }) => name === "qemu")?.message ?? "", /KVM|TCG/), 30_000, 1000);
    assert.match(await cli.ok("apply", "-f", file!), /workspace.vendetta.dev\/near unchanged/);
    assert.ok(!(await cli.ok("get", "workspace,events", "-A", "-o", "yaml")).includes("PRIVATE KEY"));
  });

  it("a machine whose process is killed comes back with its services, on the same ports", async () => {
    const { url } = (await service("near-web")).status!;
    const { startId, instanceId, restarts } = (await workspace("near")).status!;
    const run = readFileSync(join(cli.home, "instances", "qemu", instanceId!, "run"), "utf8");
    process.kill(Number(run.split(" ")[0]), "SIGKILL");
    await eventually(async () => {
      const { status } = await workspace("near");
      assert.ok(status?.startId !== undefined && status.startId !== startId && status.restarts === restarts! + 1, JSON.stringify(status));
      assert.match(await text(url!), /web answers/);
    }, 120_000, 500);
    const events = await cli.json<{ items: Event[] }>("events");
    assert.ok(events.items.some(({ reason, involvedObject }) => reason === "InstanceEnded" && involvedObject.name === "near"));
  });

  it("a machine that reboots itself, or whose kernel panics, has ended: that is told, and it is started again", async () => {
    const before = Object.fromEntries(await Promise.all(["near", "away"].map(async (name) => [name, (await workspace(name)).status!] as const)));
    // The way to whoever asks goes with the machine.
    await Promise.all([cli.run(["exec", "near", "--", "reboot", "-f"]), cli.run(["exec", "away", "--", "sh", "-c", "echo c > /proc/sysrq-trigger"])]);
    for (const name of ["near", "away"]) {
      await eventually(async () => {
        const { startId, restarts, phase } = (await workspace(name)).status!;
        assert.ok(phase === "Running" && startId !== before[name]!.startId && restarts === before[name]!.restarts! + 1, `${name}: ${phase}, ${restarts} restarts`);
        assert.match(await text((await service(`${name}-web`)).status!.url!), /web answers/);
      }, 120_000, 500);
      const { items } = await cli.json<{ items: Event[] }>("events");
      assert.ok(items.some(({ reason, involvedObject, message }) => reason === "InstanceEnded" && involvedObject.name === name && message?.includes("starting it again") === true), name);
    }
    assert.match(await cli.ok("logs", "--console", "away"), /Kernel panic - not syncing/);
  });

  it("a disk grows while its machine runs, keeps what is on it, and does not shrink", async () => {
    const { startId } = (await workspace("near")).status!;
    const sized = (disk: string) => cli.run(["apply", "-f", writeManifests(cli.home, "sized.yaml", asMachine(local, guest, stackManifests({ workspace: "near" })).slice(0, 1).map((each) => ({ ...each, spec: { ...(each as Workspace).spec, resources: { memory: "512Mi", disk } } })))]);
    await cli.ok("exec", "near", "--", "sh", "-c", "echo good > /root/file");
    assert.match(await cli.ok("workspace", "snapshot", "near", "before"), /snapshot before taken/);
    assert.equal((await sized("12Gi")).code, 0);
    const sectors = String((12 * 1024 ** 3) / 512);
    await eventually(async () => assert.equal((await cli.ok("exec", "near", "--", "cat", "/sys/block/vda/size", "/root/file")).trim(), `${sectors}\ngood`), 20_000, 300);
    const { status, metadata } = await workspace("near");
    assert.deepEqual([status!.startId, status!.phase, status!.observedGeneration], [startId, "Running", metadata.generation]);
    const refused = await sized("11Gi");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /spec\.resources\.disk: .*cannot shrink \(from 12Gi to 11Gi\)/);

    // A snapshot is of the disk as it was, and what is wished of it still holds.
    const { url } = (await service("near-web")).status!;
    await cli.ok("exec", "near", "--", "sh", "-c", "echo bad > /root/file; sync");
    await cli.ok("workspace", "restore", "near", "before", "--yes", "--timeout", "100s");
    await cli.ok("wait", "service", "near-web", "--for=condition=Ready", "--timeout=100s");
    assert.equal((await cli.ok("exec", "near", "--", "cat", "/sys/block/vda/size", "/root/file")).trim(), `${sectors}\ngood`);
    assert.deepEqual([(await service("near-web")).status!.url, await text(url!)], [url, "web answers\n"]);
    assert.match(await cli.ok("workspace", "snapshots", "near"), /^before +\S+ +put back/m);
  });

  it("deleted, they leave nothing on either machine", async () => {
    const { code, stderr } = await cli.run(["delete", "-f", file!, "--timeout", "100s"], { timeoutMs: 120_000 });
    // It would tell here of a service that is Unknown: one that could not be asked any more, as its machine was going down already.
    assert.deepEqual([code, stderr], [0, ""]);
    file = undefined;
    await eventually(() => assert.deepEqual([...machinesIn(cli.home), ...machinesIn(there)], []), 20_000);
    for (const dir of [join(cli.home, "instances", "qemu"), ...machineDirsThere()]) {
      assert.deepEqual([readdirSync(dir), readdirSync(join(dir, "work"))], [["work"], []], dir);
    }
  });

  it(`${isLong ? "Debians with cloud-init, here and" : "a Debian with cloud-init"} on another machine, follow their seeds at the first boot, and end in order`, async () => {
    const { image, engine } = await cloudGuest();
    await using _packages = await servePackage(packagesPort, { name: "greeting", programs: { "usr/bin/greeting": "#!/bin/sh\necho from a package\n" } });
    // Systemd ends it while the volume is there.
    const unit = "[Unit]\\nAfter=data.mount\\n[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\nExecStop=/bin/sh -c 'echo the system stops >> /data/order'\\n";
    const firstBootCommands = ["mkdir -p /srv/www && greeting > /srv/www/index.html", `printf "${unit}" > /etc/systemd/system/last.service`, "systemctl start last.service"];
    const asked = `trap 'sleep 1; echo the service was asked >> /data/order; kill $child; exit 0' TERM; python3 -m http.server -d /srv/www "$PORT" & child=$!; wait $child; wait $child`;
    const debian = (name: string, nodeName: string) => [
      {
        apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name },
        spec: { provider: "qemu", nodeName, image, env: { GREETING: "it's me" }, resources: { memory: "512Mi" }, terminationGracePeriodSeconds: 60, mounts: [{ path: "/data", volume: "data" }], qemu: { ...engine, packages: ["greeting"], firstBootCommands } },
      },
      { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${name}-site` }, spec: { workspace: name, command: ["sh", "-c", asked], port: 8000, healthCheck: { http: { path: "/" }, startPeriodSeconds: 60 } } },
    ];
    const places = [["debian-far", "far"], ...(isLong ? [["debian", local] as const] : [])] as const;
    await apply(sshNode("far", sshd), ...places.flatMap(([name, nodeName]) => debian(name!, nodeName!)));
    for (const [name] of places) {
      assert.equal(await text((await service(`${name}-site`)).status!.url!), "from a package\n");
      assert.equal((await cli.ok("exec", name, "--", "bash", "-lc", "cat /etc/hostname; . /etc/profile.d/vendetta-environment.sh; echo $GREETING; df /data | tail -n 1 | cut -d' ' -f1; id -un")).trim(), `${name}\nit's me\n/dev/vdc\nroot`);
    }
    await cli.ok("workspace", "down", "debian-far", "--timeout", "100s");
    const { instanceId } = (await workspace("debian-far")).status!;
    const [machines] = machineDirsThere();
    assert.match(readFileSync(join(machines!, instanceId!, "console.log"), "utf8"), /Power down/, "it was asked to, and did");
    assert.equal(execFileSync("/sbin/debugfs", ["-R", "cat /order", join(machines!, "work", instanceId!, "volume-data.raw")], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }), "the service was asked\nthe system stops\n");
  });
});
