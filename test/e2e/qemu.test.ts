// Test run: about 170 s.

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
import { cloudGuest, cloudGuestUnavailable } from "../harness/cloud-guest.ts";
import { eventually } from "../harness/eventually.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { tinyGuest, type Guest } from "../harness/tiny-guest.ts";
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

  before(async () => {
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
  const machinesIn = (dir: string) => execFileSync("sh", ["-c", 'for each in /proc/[0-9]*/cwd; do case "$(readlink $each)" in "$1"/*/qemu/*) echo ${each#/proc/};; esac; done', "sh", dir], { encoding: "utf8" }).split("\n").filter((line) => line !== "");

  it("kernels booted directly, here and on another machine: the same graph is Ready in each", async () => {
    const guest = await tinyGuest();
    await apply(sshNode("far", sshd), ...asMachine(local, guest, stackManifests({ workspace: "near" })), ...asMachine("far", guest, stackManifests({ workspace: "away" })));
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

  it("deleted, they leave nothing on either machine", async () => {
    await cli.ok("delete", "-f", file!, "--timeout", "100s");
    file = undefined;
    await eventually(() => assert.deepEqual([...machinesIn(cli.home), ...machinesIn(there)], []), 20_000);
    for (const dir of [join(cli.home, "instances", "qemu"), ...readdirSync(join(there, ".local/share/vendetta")).map((cluster) => join(there, ".local/share/vendetta", cluster, "instances", "qemu"))]) {
      assert.deepEqual([readdirSync(dir), readdirSync(join(dir, "work"))], [["work"], []], dir);
    }
  });

  it("a Debian with cloud-init follows its seed at the first boot, and is Ready with a service", async () => {
    const { image, engine } = await cloudGuest();
    const manifest = {
      apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "debian" },
      spec: { provider: "qemu", nodeName: local, image, env: { GREETING: "it's me" }, resources: { memory: "1Gi" }, mounts: [{ path: "/data", volume: "data" }], qemu: { ...engine, firstBootCommands: ["mkdir -p /srv/www && echo made at first boot > /srv/www/index.html"] } },
    };
    const site = { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "site" }, spec: { workspace: "debian", command: ["python3", "-m", "http.server", "-d", "/srv/www", "8000"], port: 8000, healthCheck: { http: { path: "/" } } } };
    await apply(manifest, site);
    assert.equal(await text((await service("site")).status!.url!), "made at first boot\n");
    assert.equal((await cli.ok("exec", "debian", "--", "bash", "-lc", "cat /etc/hostname; . /etc/profile.d/vendetta-environment.sh; echo $GREETING; df /data | tail -n 1 | cut -d' ' -f1; id -un")).trim(), "debian\nit's me\n/dev/vdc\nroot");
    await cli.ok("workspace", "down", "debian");
    assert.match(readFileSync(join(cli.home, "instances", "qemu", (await workspace("debian")).status!.instanceId!, "console.log"), "utf8"), /Power down/, "it was asked to, and did");
  });
});
