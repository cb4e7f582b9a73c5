// Test run: about 30 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { createTestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { conditionOf, stackManifests, writeManifests } from "./stack.ts";

const root = process.getuid?.() === 0;
const needsRoot = root || process.env["CI"] === "true" ? false : "needs root";

describe("a machine in trouble", () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  it("without Docker: the Node says what is missing, the Workspace why it waits", async () => {
    const cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    cleanups.push(() => cli.dispose());
    const file = writeManifests(cli.home, "stack.yaml", stackManifests());
    await cli.ok("apply", "-f", file);
    await eventually(async () => {
      const { items } = await cli.json<{ items: Node[] }>("nodes");
      const docker = items[0]?.status?.providers?.find((each) => each.name === "docker");
      assert.equal(docker?.usable, false);
      assert.match(docker?.message ?? "", /\/nonexistent\/docker\.sock/);
      const workspace = await cli.json<Workspace>("workspace", "stack");
      const ready = workspace.status?.conditions?.find((each) => each.type === "Ready");
      assert.equal(ready?.reason, "Unschedulable");
      assert.match(ready?.message ?? "", /docker is not usable/);
    }, 20_000);
    await cli.ok("delete", "-f", file);
  });

  it("with a dockerd that is stopped and comes back: Unknown meanwhile, then as before", { skip: dockerUnavailable() ?? false }, async () => {
    const dockerd = await startDockerd();
    cleanups.push(() => dockerd.stop());
    await dockerd.importBusybox("busybox:test");
    const cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    cleanups.push(() => cli.dispose());
    const file = writeManifests(cli.home, "stack.yaml", stackManifests());
    await cli.ok("apply", "-f", file, "--wait", "--timeout", "60s");
    await dockerd.halt();
    await eventually(async () => {
      const workspace = await cli.json<Workspace>("workspace", "stack");
      assert.equal(workspace.status?.phase, "Unknown");
      const service = await cli.json<Service>("service", "stack-web");
      assert.equal(conditionOf(service, "Ready").status, "Unknown");
    }, 30_000);
    await dockerd.resume();
    await cli.ok("wait", "workspace", "stack", "--for=condition=Ready", "--timeout=60s");
    await cli.ok("wait", "services", "--all", "--for=condition=Ready", "--timeout=60s");
    await cli.ok("delete", "-f", file);
  });

  it("with containers that end at once, again and again: says how, what they said last and what to do, and waits ever longer", { skip: dockerUnavailable() ?? false }, async () => {
    const dockerd = await startDockerd();
    cleanups.push(() => dockerd.stop());
    await dockerd.importBusybox("busybox:test");
    const cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    cleanups.push(() => cli.dispose());
    const workspace = (name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec: { provider: "docker", image: "busybox:test", ...spec } });
    const saying = (name: string, last: string) => workspace(name, { docker: { command: ["sh", "-c", `echo first >&2; echo ${last} >&2; exit 3`] } });
    const missing = workspace("missing", { docker: { command: ["/not/there"] } });
    const greedy = workspace("greedy", { resources: { memory: "16Mi" }, docker: { command: ["tail", "/dev/zero"] } });
    await cli.ok("apply", "-f", writeManifests(cli.home, "ends.yaml", [saying("ends", "no-config"), missing, greedy]));
    const why: readonly [name: string, why: RegExp][] = [
      ["ends", /ended with exit code 3, and said last: "first" "no-config" \(\d times in a row\); starting it again \d s after that; .*spec\.docker\.command/],
      ["missing", /ended with exit code 127.* the image has no \/not\/there .*correct spec\.docker\.command/],
      ["greedy", /was killed for want of memory .*it may use 16Mi: raise spec\.resources\.memory/],
    ];
    for (const [name, how] of why) {
      await eventually(async () => {
        const told = await cli.ok("explain-state", "workspace", name);
        assert.match(told, /CrashLoopBackOff: .*\([3-9] times in a row\)/);
        assert.match(told, how);
        assert.match(told, /next try: (in|now)/);
        assert.match(await cli.ok("get", "workspace", name, "-o", "wide"), how);
      }, 20_000);
      assert.match(await cli.ok("events", "--for", `workspace/${name}`), new RegExp(`Warning +InstanceEnded .*${how.source.slice(0, 20)}`));
    }
    assert.ok((await cli.json<Workspace>("workspace", "ends")).status!.restarts! <= 6, "it waits in between");
    await cli.ok("apply", "-f", writeManifests(cli.home, "mended.yaml", [workspace("ends", {})]), "--wait", "--timeout", "20s");
    assert.equal((await cli.json<Workspace>("workspace", "ends")).status!.lastEnd, undefined);
    await cli.ok("delete", "-f", join(cli.home, "ends.yaml"));
  });

  it("with a full disk: writes are refused and say why; with room again nothing is lost", { skip: needsRoot }, async () => {
    const home = mkdtempSync(join(tmpdir(), "vd-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", home]);
    cleanups.push(() => {
      execFileSync("umount", ["-l", home]);
      rmSync(home, { recursive: true, force: true });
    });
    const cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" }, home);
    cleanups.push(async () => {
      await cli.run(["server", "stop"]);
    });
    // Large, as the journal may have room set aside for small ones.
    const manifest = (name: string) => JSON.stringify({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: "nowhere", command: ["true"], env: { PADDING: "x".repeat(120_000) } } });
    await cli.ok("server", "start");
    assert.equal((await cli.run(["apply", "-f", "-"], { stdin: manifest("before") })).code, 0);
    try {
      writeFileSync(join(home, "filler"), Buffer.alloc(4 * 1024 * 1024));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
    const refused = await eventually(async () => {
      const answer = await cli.run(["apply", "-f", "-"], { stdin: manifest(`during-${Math.floor(Math.random() * 1e9)}`) });
      assert.notEqual(answer.code, 0);
      return answer;
    }, 20_000, 10);
    assert.match(refused.stderr, /no space|full|ENOSPC/i);
    assert.equal((await cli.json<Service>("service", "before")).metadata.name, "before", "reads go on");
    rmSync(join(home, "filler"));
    await eventually(async () => assert.equal((await cli.run(["apply", "-f", "-"], { stdin: manifest("after") })).code, 0), 30_000, 500);
    const names = (await cli.json<{ items: Service[] }>("services")).items.map((each) => each.metadata.name);
    assert.ok(names.includes("before") && names.includes("after"), names.join());
  });

  it("with a home that cannot be written: says so, and what to do", async () => {
    const parent = mkdtempSync(join(tmpdir(), "vd-ro-"));
    const home = join(parent, "home");
    mkdirSync(home);
    cleanups.push(() => rmSync(parent, { recursive: true, force: true }));
    if (root) {
      // The superuser writes where it likes, except on a read-only mount.
      execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", home]);
      cleanups.push(() => void execFileSync("umount", ["-l", home]));
    } else chmodSync(home, 0o500);
    const cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" }, home);
    const { code, stderr } = await cli.run(["get", "nodes"]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(home));
    assert.match(stderr, /read-only|cannot be written|permission/i);
    assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
    assert.equal(existsSync(join(home, "store")), false);
  });
});
