import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { echoThrough } from "../harness/echo-client.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable, type Kubectl } from "../harness/kubectl.ts";
import { nodeMounts } from "../harness/node-mounts.ts";
import { freePort } from "../harness/ports.ts";
import { onTerminal } from "../harness/terminal.ts";
import { writeManifests } from "./stack.ts";

const megabyte = 1024 * 1024;
/** How kubectl speaks: WebSocket, or SPDY/3.1 as older ones do. */
const wires = [
  ["WebSocket", { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true", KUBECTL_PORT_FORWARD_WEBSOCKETS: "true" }],
  ["SPDY/3.1", { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" }],
] as const;

/** An echo with a backlog for many connections at once, which busybox has none of. */
const echoScript = "require('net').createServer({ allowHalfOpen: true }, (c) => c.on('error', () => {}).pipe(c)).listen(process.env.PORT, '0.0.0.0')";

for (const provider of ["docker", "host"] as const) {
  const lacking = kubectlUnavailable() ?? (provider === "docker" ? dockerUnavailable() : undefined);
  describe(`kubectl on Pods, provider ${provider}`, { skip: lacking ?? false, timeout: 240_000 }, () => {
    let dockerd: TestDockerd | undefined;
    let cli: TestCli;
    let kubectl: Kubectl;
    let echoPort: number;
    let closedPort: number;

    before(async () => {
      if (provider === "docker") {
        dockerd = await startDockerd();
        await dockerd.importBusybox("busybox:test");
      }
      cli = createTestCli(dockerd === undefined ? {} : { DOCKER_HOST: `unix://${dockerd.socketPath}` });
      echoPort = await freePort();
      closedPort = await freePort();
      const service = (name: string, script: string, more: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: "dev", command: ["sh", "-c", script], ...more } });
      const file = writeManifests(cli.home, "dev.yaml", [
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev", labels: { app: "shop" } }, spec: { provider, ...(provider === "docker" ? { image: "busybox:test", workingDir: "/tmp", mounts: nodeMounts() } : {}), env: { COLOUR: "green" } } },
        service("echo", "", { command: [process.execPath, "-e", echoScript], port: echoPort }),
        service("flaky", "echo begins; until [ -e die ]; do sleep 0.1; done; rm die; echo dies; exit 4"),
        service("task", "echo all done", { restartPolicy: "Never", env: { DEPTH: "deep" } }),
      ]);
      await cli.ok("apply", "-f", file, "--wait");
      kubectl = await createKubectl(cli);
    });
    after(async () => {
      await kubectl?.dispose();
      await cli?.ok("delete", "workspaces,services", "--all");
      await cli?.dispose();
      await dockerd?.stop();
    });

    it("get, wide and by label, describe, wait", async () => {
      const [header, row] = (await kubectl.ok("get", "pods")).split("\n").map((line) => line.split(/\s+/));
      assert.deepEqual(header!.slice(0, 5), ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
      assert.deepEqual(row!.slice(0, 4), ["dev", "3/4", "Running", "0"]);
      assert.match(await kubectl.ok("get", "po", "-o", "wide", "-l", "app=shop"), /IP +NODE +NOMINATED NODE +READINESS GATES\ndev +3\/4 +Running .* <none> +<none>\n/);
      assert.equal(await kubectl.ok("get", "pods", "-l", "app=other", "-o", "name"), "");
      const described = await kubectl.ok("describe", "pod", "dev");
      for (const words of [/Controlled By: +Workspace\/dev/, /COLOUR: +green/, /State: +Terminated\s+Reason: +Completed/, /Ready +True/, /Normal +Started /]) assert.match(described, words);
      assert.match(await kubectl.ok("wait", "pod/dev", "--for=condition=Ready", "--timeout=20s"), /condition met/);
    });
    it("logs: one, the previous, all with their names, by label; of what has none", async () => {
      assert.equal(await kubectl.ok("logs", "dev", "-c", "task"), "all done\n");
      assert.equal(await kubectl.ok("logs", "dev", "-c", "workspace"), "");
      assert.match((await kubectl.run(["logs", "dev", "-c", "task", "--previous"])).stderr, /BadRequest.*previous terminated container "task" in pod "dev" not found/);
      assert.match(await kubectl.ok("logs", "dev", "--all-containers", "--prefix"), /\[pod\/dev\/task\] all done\n/);
      assert.match(await kubectl.ok("logs", "-l", "app=shop", "-c", "task"), /all done/);
    });
    it("logs -f goes on over a restart, and a watch sees it", async () => {
      const log = kubectl.start(["logs", "-f", "dev", "-c", "flaky"]);
      const watch = kubectl.start(["get", "pods", "-w", "--no-headers"]);
      await eventually(() => assert.match(log.said(), /begins\n/), 15_000);
      await eventually(() => assert.match(watch.said(), /^dev .*\n/), 15_000);
      await kubectl.ok("exec", "dev", "-c", "flaky", "--", "touch", "die");
      await eventually(() => assert.match(log.said(), /begins\ndies\n[^]*begins\n/), 15_000);
      await eventually(() => assert.match(watch.said(), /dev +3\/4 +Running +1 \(\d+s ago\)/), 15_000);
      assert.match(await kubectl.ok("logs", "dev", "-c", "flaky", "--previous"), /^begins\ndies\n$/);
      const state = JSON.parse(await kubectl.ok("get", "pod", "dev", "-o", 'jsonpath={.status.containerStatuses[?(@.name=="flaky")].lastState.terminated}')) as { exitCode: number; reason: string };
      assert.deepEqual([state.exitCode, state.reason], [4, "Error"]);
      await Promise.all([log.end(), watch.end()]);
    });
    for (const [wire, env] of wires) {
      it(`exec over ${wire}: streams apart, stdin, exit code, the container's environment`, async () => {
        const { code, stdout, stderr } = await kubectl.run(["exec", "dev", "-c", "task", "--", "sh", "-c", 'echo "$COLOUR $DEPTH"; echo trouble >&2; exit 7'], { env });
        assert.deepEqual([code, stdout, stderr], [7, "green deep\n", "trouble\ncommand terminated with exit code 7\n"]);
        const data = randomBytes(4 * megabyte).toString("base64");
        const echoed = await kubectl.run(["exec", "-i", "dev", "-c", "workspace", "--", "cat"], { stdin: data, env });
        assert.ok(echoed.stdout === data, `${echoed.stdout.length} of ${data.length} characters came back: ${echoed.stderr}`);
      });
      it(`exec -it over ${wire} gives a terminal`, async () => {
        const terminal = onTerminal(["kubectl", "exec", "-it", "dev", "-c", "workspace", "--", "sh"], { ...kubectl.env, ...env });
        try {
          terminal.type("until stty size | grep -q '33 101'; do sleep 0.1; done; echo is$((1+1))up\n");
          await terminal.shows(/is2up/);
          terminal.type("exit 5\n");
          assert.equal(await terminal.exit, 5);
        } finally {
          terminal.kill();
        }
      });
      it(`port-forward over ${wire}: 64 MB there and back, 50 connections at once, and one that is refused`, async () => {
        const forward = await kubectl.forward("dev", [echoPort, closedPort], { env });
        const [echo, closed] = forward.ports as [number, number];
        assert.deepEqual(await echoThrough(echo, 64 * megabyte), { sentBytes: 64 * megabyte, gotBytes: 64 * megabyte, same: true });
        const many = await Promise.all(Array.from({ length: 50 }, () => echoThrough(echo, 100_000)));
        assert.equal(many.filter((each) => each.same).length, 50, JSON.stringify(many.find((each) => !each.same)));
        await new Promise((resolve) => connect({ host: "127.0.0.1", port: closed }).on("error", () => {}).on("close", resolve).resume());
        assert.ok((await echoThrough(echo, 1000)).same, forward.said());
        await forward.end();
      });
    }
    it("attach follows what a container says", async () => {
      const attached = kubectl.start(["attach", "dev", "-c", "flaky"]);
      await eventually(() => assert.match(attached.said(), /command prompt/), 15_000);
      // Attached is what hears the end of a run: it is ended until that is so.
      await eventually(async () => {
        await kubectl.run(["exec", "dev", "-c", "flaky", "--", "touch", "die"]);
        assert.match(attached.said(), /dies/);
      }, 20_000, 500);
      await attached.end();
    });
    it("cp both ways, a file and a folder", async () => {
      const folder = join(cli.home, "copied");
      mkdirSync(join(folder, "deep"), { recursive: true });
      writeFileSync(join(folder, "deep", "data"), randomBytes(3 * megabyte));
      await kubectl.ok("cp", folder, "dev:there", "-c", "workspace");
      await kubectl.ok("cp", "dev:there/deep/data", join(cli.home, "back"), "-c", "workspace");
      assert.ok(readFileSync(join(cli.home, "back")).equals(readFileSync(join(folder, "deep", "data"))));
    });
    it("top tells what pods and nodes use", async () => {
      assert.match(await kubectl.ok("top", "pods"), /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\ndev +\d+m +\d+Mi *\n$/);
      assert.match(await kubectl.ok("top", "nodes"), /CPU\(%\)[^]*\n\S+ +\d+m +\d+% +\d+Mi +\d+%/);
      // Both kinds have the plural; the bare word means ours.
      assert.match(await kubectl.ok("get", "nodes"), /PROVIDERS/);
    });
    it("writes are refused, saying what to write", async () => {
      const { code, stderr } = await kubectl.run(["label", "pod", "dev", "a=b"]);
      assert.equal(code, 1);
      assert.match(stderr, /MethodNotAllowed.*a Pod shows a Workspace and its Services; write those/);
    });
    it("logs -f of a task that has ended comes to its end", async () => {
      assert.equal(await kubectl.ok("logs", "-f", "dev", "-c", "task"), "all done\n");
    });
    it("delete has the Workspace made anew, as for a Pod of a controller; logs -f goes on there", async () => {
      const following = kubectl.start(["logs", "-f", "dev", "-c", "flaky"]);
      await eventually(() => assert.match(following.said(), /begins\n$/), 15_000);
      const uid = async () => (await kubectl.ok("get", "pod", "dev", "-o", "jsonpath={.metadata.uid}")).trim();
      const before = await uid();
      assert.match(await kubectl.ok("delete", "pod", "dev", "--timeout=60s"), /pod "dev" deleted/);
      assert.notEqual(await uid(), before);
      await eventually(() => assert.match(following.said(), /--- its workspace was started anew ---\nbegins\n/), 40_000, 200);
      await following.end();
      await kubectl.ok("wait", "pod", "dev", "--for=condition=Initialized", "--timeout=60s");
      assert.match(await cli.ok("events", "--for", "workspace/dev"), /Recreating .*it was asked for/);
    });
  });
}
