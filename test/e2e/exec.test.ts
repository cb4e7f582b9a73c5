import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createTestCli, mainFile, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { onTerminal } from "../harness/terminal.ts";
import { writeManifests } from "./stack.ts";

for (const provider of ["docker", "host"] as const) {
  describe(`vendetta exec, provider ${provider}`, { skip: (provider === "docker" ? dockerUnavailable() : undefined) ?? false, timeout: 120_000 }, () => {
    let dockerd: TestDockerd | undefined;
    let cli: TestCli;

    before(async () => {
      if (provider === "docker") {
        dockerd = await startDockerd();
        await dockerd.importBusybox("busybox:test");
      }
      cli = createTestCli(dockerd === undefined ? {} : { DOCKER_HOST: `unix://${dockerd.socketPath}` });
      const file = writeManifests(cli.home, "dev.yaml", [
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider, ...(provider === "docker" ? { image: "busybox:test" } : {}), env: { COLOUR: "green tea" } } },
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "sleeper" }, spec: { workspace: "dev", command: ["sleep", "100000"], workingDir: "/tmp", env: { DEPTH: "deep" } } },
      ]);
      await cli.ok("apply", "-f", file, "--wait");
    });
    after(async () => {
      await cli?.ok("delete", "workspaces,services", "--all");
      await cli?.dispose();
      await dockerd?.stop();
    });

    it("hands on arguments, streams and the exit code", async () => {
      const { code, stdout, stderr } = await cli.run(["exec", "dev", "--", "sh", "-c", 'echo "$1|$COLOUR"; echo trouble >&2; exit 7', "sh", "a  b'"]);
      assert.deepEqual([code, stdout, stderr], [7, "a  b'|green tea\n", "trouble\ncommand terminated with exit code 7\n"]);
    });
    it("reads stdin only with -i", async () => {
      assert.equal((await cli.run(["exec", "dev", "-i", "--", "cat"], { stdin: "hello" })).stdout, "hello");
      assert.equal((await cli.run(["exec", "dev", "--", "cat"], { stdin: "hello" })).stdout, "");
    });
    it("carries 20 MB both ways, byte for byte", async () => {
      const data = randomBytes(20 * 1024 * 1024).toString("base64");
      const { stdout, code } = await cli.run(["exec", "-i", "dev", "--", "cat"], { stdin: data });
      assert.equal(code, 0);
      assert.equal(createHash("sha256").update(stdout).digest("hex"), createHash("sha256").update(data).digest("hex"));
    });
    it("runs beside a service, with its environment and directory", async () => {
      assert.equal(await cli.ok("exec", "service/sleeper", "--", "sh", "-c", "echo $DEPTH in $(pwd)"), "deep in /tmp\n");
    });
    it("gives a terminal with -it: size, keys, Ctrl-C, exit code", async () => {
      const terminal = onTerminal([process.execPath, mainFile, "exec", "-it", "dev", "--", "sh"], cli.env);
      try {
        // The window's size comes a moment after the shell, as it does with ssh and docker.
        terminal.type("until stty size | grep -q '33 101'; do sleep 0.1; done; echo is$((1+1))up\n");
        await terminal.shows(/is2up/);
        terminal.type("sleep 1000; echo after$((2+2))\n");
        await new Promise((resolve) => setTimeout(resolve, 500));
        terminal.type("\x03");
        terminal.type("echo still$((3+3))\n");
        await terminal.shows(/still6/);
        terminal.type("exit 5\n");
        assert.equal(await terminal.exit, 5);
      } finally {
        terminal.kill();
      }
    });
    it("says without a terminal that there is none, and goes on", async () => {
      const { code, stdout, stderr } = await cli.run(["exec", "-it", "dev", "--", "echo", "done"]);
      assert.deepEqual([code, stdout], [0, "done\n"]);
      assert.match(stderr, /not a terminal/);
    });
    it("ends the command when its caller is killed", async () => {
      const caller = cli.start(["exec", "dev", "--", "sleep", "4711"]);
      const lives = async () => (await cli.run(["exec", "dev", "--", "sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null; echo; done"])).stdout.includes("\nsleep 4711 \n");
      await eventually(async () => assert.ok(await lives()), 10_000);
      await caller.end("SIGKILL");
      await eventually(async () => assert.ok(!(await lives())), 10_000);
    });
    it("says what is wrong", async () => {
      assert.match((await cli.run(["exec", "nobody", "--", "true"])).stderr, /workspaces\.vendetta\.dev "nobody" not found/);
      assert.match((await cli.run(["exec", "dev"])).stderr, /say what to run.*vendetta exec -it dev -- sh/);
      assert.match((await cli.run(["exec", "node/x", "--", "true"])).stderr, /neither/);
      const missing = await cli.run(["exec", "dev", "--", "no-such-command"]);
      assert.notEqual(missing.code, 0);
      assert.match(missing.stdout + missing.stderr, /no-such-command/);
    });
  });
}
