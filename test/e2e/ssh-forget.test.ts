// Test run: about 54 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import Docker from "dockerode";
import { findCondition } from "../../src/api/conditions.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { writeManifests } from "./stack.ts";

describe("a Node forgotten while its machine is away", { timeout: 300_000, skip: sshdUnavailable() ?? dockerUnavailable() ?? false }, () => {
  let cli: TestCli;
  let dockerd: TestDockerd;
  let docker: Docker;
  let sshd: TestSshd;
  let home: string;
  /** What is on the machine, as it was before anything went wrong. */
  let crate: Workspace;
  let bare: Workspace;
  let pids: readonly number[];

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "vd-away-"));
    mkdirSync(join(home, ".ssh"), { mode: 0o700 });
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    docker = new Docker({ socketPath: dockerd.socketPath });
    sshd = await startSshd({ home, authorizedKeysFile: join(home, ".ssh", "authorized_keys") });
    execFileSync("cp", [`${sshd.keyFile}.pub`, join(home, ".ssh", "authorized_keys")]);
    cli = createTestCli({ SSH_AUTH_SOCK: "" });
  });
  after(async () => {
    await cli?.dispose();
    await Promise.all([dockerd?.stop(), sshd?.stop()]);
    rmSync(home, { recursive: true, force: true });
  });

  const add = (name: string) => {
    const fingerprint = execFileSync("ssh-keygen", ["-lf", "-"], { input: sshd.hostKey, encoding: "utf8" }).split(" ")[1]!;
    return cli.ok("node", "add", `${sshd.user}@127.0.0.1:${sshd.port}`, "--name", name, "--accept-host-key", fingerprint, "--identity", sshd.keyFile, "--docker-socket", dockerd.socketPath);
  };
  const ready = async (name: string) => findCondition((await cli.json<Node>("node", name)).status?.conditions, "Ready");
  const lives = (pid: number) => existsSync(`/proc/${pid}`);
  /** Process on this machine of a Service in a container, whose own pid is another there. */
  const outerPid = async ({ status }: Workspace, command: string) => {
    const { Processes } = (await docker.getContainer(status!.instanceId!).top({ ps_args: "-eo pid,args" } as object)) as { readonly Processes: readonly (readonly [string, string])[] };
    return Number(Processes.find(([, args]) => args === command)![0]);
  };
  const workOf = () => {
    const [cluster] = readdirSync(join(home, ".local/share/vendetta"));
    return join(home, ".local/share/vendetta", cluster!, "instances/work", bare.status!.instanceId!);
  };

  it("a container and plain processes run on it, each with something worth keeping", async () => {
    assert.equal(await add("first"), "node.vendetta.dev/first created\n");
    const workspace = (name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec: { nodeName: "first", ...spec } });
    const service = (name: string, of: string, seconds: string) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: of, command: ["sleep", seconds] } });
    const file = writeManifests(cli.home, "away.yaml", [
      workspace("crate", { provider: "docker", image: "busybox:test", mounts: [{ path: "/data", volume: "data" }] }), service("in-crate", "crate", "471101"),
      workspace("bare", { provider: "host" }), service("in-bare", "bare", "471102"),
    ]);
    await cli.ok("apply", "-f", file, "--wait");
    await cli.ok("exec", "crate", "--", "sh", "-c", "echo worth keeping > /data/kept");
    await cli.ok("exec", "bare", "--", "sh", "-c", "echo worth keeping > kept");
    [crate, bare] = await Promise.all([cli.json<Workspace>("workspace", "crate"), cli.json<Workspace>("workspace", "bare")]);
    pids = [await outerPid(crate, "sleep 471101"), (await cli.json<Service>("service", "in-bare")).status!.pid!];
    assert.ok(pids.every(lives));
  });

  it("is refused while it answers; silent, what may be left there is listed before anything is let go", async () => {
    assert.match((await cli.run(["node", "forget", "first", "--yes"])).stderr, /answers: remove it properly/);
    await sshd.kill();
    await eventually(async () => assert.equal((await ready("first"))?.status, "Unknown"), 60_000, 500);
    assert.match((await cli.run(["node", "remove", "first"])).stderr, /bare, crate|crate, bare/);

    const asked = await cli.run(["node", "forget", "first"]);
    assert.deepEqual([asked.code, asked.stdout], [1, ""]);
    assert.match(asked.stderr, /^Node "first" \(\S+@127\.0\.0\.1:\d+\) does not answer: /);
    assert.match(asked.stderr, /^ {2}INSTANCE +ENGINE +WORKSPACE +VOLUMES$/m);
    assert.match(asked.stderr, new RegExp(`^  ${crate.status!.instanceId} +docker +crate +data$`, "m"));
    assert.match(asked.stderr, new RegExp(`^  ${bare.status!.instanceId} +host +bare +<none>$`, "m"));
    assert.match(asked.stderr, /the cluster's key in ~\/\.ssh\/authorized_keys of \S+@127\.0\.0\.1/);
    assert.match(asked.stderr, /add --yes to 'vendetta node forget first'/);
    assert.equal((await cli.json<{ items: Workspace[] }>("workspaces")).items.length, 2);

    assert.equal(await cli.ok("node", "forget", "first", "--yes"), 'node.vendetta.dev "first" forgotten, with 2 Workspaces\n');
    assert.deepEqual((await cli.json<{ items: Workspace[] }>("workspaces")).items, []);
    assert.ok(!(await cli.ok("get", "nodes", "-o", "name")).includes("first"));
    // Their Services are wishes of their own, and go when asked although nobody can look.
    await eventually(async () => assert.match(await cli.ok("describe", "service", "in-crate"), /WorkspaceNotFound/), 20_000, 500);
    await cli.ok("delete", "services", "--all", "--timeout", "20s");
    assert.ok(pids.every(lives), "nothing was done on the machine");
  });

  it("comes back under another name: the leftovers are found, shown, and removed after the grace; volumes stay", async () => {
    const stranger = await docker.createContainer({ name: "stranger", Image: "busybox:test", Cmd: ["sleep", "100000"] });
    await stranger.start();
    await sshd.start();
    assert.equal(await add("second"), "node.vendetta.dev/second created\n");
    const shown = await eventually(async () => {
      const text = await cli.ok("get", "orphans");
      for (const { status, spec, metadata } of [crate, bare]) assert.match(text, new RegExp(`^${status!.instanceId} +${spec.provider} +second +default/${metadata.name} +\\d+s$`, "m"));
      return text;
    }, 40_000, 500);
    assert.equal(shown.trim().split("\n").length, 3, shown);
    assert.match(await cli.ok("cluster", "status"), /second +Orphans +2 instances belong to no Workspace/);
    assert.match((await cli.run(["node", "remove", "second"])).stderr, /2 instances that no Workspace owns/);
    assert.ok(pids.every(lives), "within the grace nothing is touched");

    await eventually(async () => assert.equal(await cli.ok("get", "orphans"), ""), 90_000, 1000);
    await assert.rejects(docker.getContainer(crate.status!.instanceId!).inspect(), { statusCode: 404 });
    await eventually(() => assert.deepEqual(pids.filter(lives), []), 10_000);
    const events = await cli.ok("events");
    for (const name of ["crate", "bare"]) assert.match(events, new RegExp(`OrphanRemoved .*default/${name}.*no longer exists`));
    assert.ok((await stranger.inspect()).State.Running, "what is not ours is left alone (INV-4)");

    const { Volumes } = await docker.listVolumes();
    assert.equal(Volumes.length, 1);
    assert.match(Volumes[0]!.Name, /data/);
    const kept = await docker.createContainer({ Image: "busybox:test", Cmd: ["cat", "/data/kept"], HostConfig: { Binds: [`${Volumes[0]!.Name}:/data`] } });
    await kept.start();
    await kept.wait();
    assert.match((await kept.logs({ stdout: true })).toString(), /worth keeping/);
    assert.equal(readFileSync(join(workOf(), "kept"), "utf8"), "worth keeping\n");
  });

  it("is then a Node like any other, and is removed with its key", async () => {
    await cli.ok("workspace", "create", "again", "--provider", "host", "--node", "second");
    await cli.ok("workspace", "rm", "again");
    assert.equal(await cli.ok("node", "remove", "second"), 'node.vendetta.dev "second" deleted\n');
    assert.ok(!readFileSync(join(home, ".ssh", "authorized_keys"), "utf8").includes("vendetta-"));
  });
});
