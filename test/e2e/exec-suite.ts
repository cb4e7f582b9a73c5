import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createTestCli, mainFile, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { onTerminal } from "../harness/terminal.ts";
import { writeManifests } from "./stack.ts";

export interface ExecPlace {
  readonly provider: "docker" | "host";
  /** On a Node over SSH, not on this machine's. */
  readonly remote: boolean;
}

/** What commands and shells in a Workspace must do, wherever it is. */
export function execSuite({ provider, remote }: ExecPlace): void {
  const why = (provider === "docker" ? dockerUnavailable() : undefined) ?? (remote ? sshdUnavailable() : undefined);
  describe(`commands and shells, provider ${provider}${remote ? " on a Node over SSH" : ""}`, { skip: why ?? false, timeout: 120_000 }, () => {
    let dockerd: TestDockerd | undefined;
    let sshd: TestSshd | undefined;
    let there: string;
    let cli: TestCli;

    before(async () => {
      if (provider === "docker") {
        dockerd = await startDockerd();
        await dockerd.importBusybox("busybox:test");
      }
      there = mkdtempSync(join(tmpdir(), "vd-there-"));
      if (remote) sshd = await startSshd({ home: there });
      cli = createTestCli(dockerd === undefined || remote ? {} : { DOCKER_HOST: `unix://${dockerd.socketPath}` });
      const file = writeManifests(cli.home, "dev.yaml", [
        ...(sshd === undefined ? [] : [sshNode("far", sshd, { ...(dockerd === undefined ? {} : { socketPath: dockerd.socketPath }) })]),
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider, ...(provider === "docker" ? { image: "busybox:test" } : {}), ...(remote ? { nodeName: "far" } : {}), env: { COLOUR: "green tea" } } },
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "sleeper" }, spec: { workspace: "dev", command: ["sleep", "100000"], workingDir: "/tmp", env: { DEPTH: "deep" } } },
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "ticker" }, spec: { workspace: "dev", command: ["sh", "-c", "i=0; while :; do echo tick $i; i=$((i+1)); sleep 1; done"] } },
      ]);
      await cli.ok("apply", "-f", file, "--wait");
    });
    after(async () => {
      await cli?.ok("delete", "workspaces,services", "--all");
      await cli?.dispose();
      await Promise.all([dockerd?.stop(), sshd?.stop()]);
      rmSync(there, { recursive: true, force: true });
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
    it("opens a shell: the best one that is there, with the window's size, keys and exit code", async () => {
      const terminal = onTerminal([process.execPath, mainFile, "shell", "dev"], cli.env);
      try {
        terminal.type("until stty size | grep -q '33 101'; do sleep 0.1; done; echo $COLOUR is$((1+1))up\n");
        await terminal.shows(/green tea is2up/);
        // An image of busybox has no bash; here there is one.
        terminal.type("echo shell:${BASH_VERSION:+bash}:\n");
        await terminal.shows(provider === "docker" ? /shell::/ : /shell:bash:/);
        terminal.type("sleep 1000; echo after$((2+2))\n");
        await new Promise((resolve) => setTimeout(resolve, 500));
        terminal.type("\x03");
        terminal.type("echo still$((3+3)); exit 5\n");
        await terminal.shows(/still6/);
        assert.equal(await terminal.exit, 5);
        assert.doesNotMatch(terminal.said(), /after4|terminated/);
      } finally {
        terminal.kill();
      }
    });
    it("opens it beside a service, under its other name too", async () => {
      for (const words of [["shell", "dev", "--service", "sleeper"], ["workspace", "connect", "service/sleeper"]]) {
        const terminal = onTerminal([process.execPath, mainFile, ...words], cli.env);
        try {
          terminal.type("echo $DEPTH in $(pwd) with $((4+4))\n");
          await terminal.shows(/deep in \/tmp with 8/);
          // Ctrl-D.
          terminal.type("\x04");
          assert.equal(await terminal.exit, 0);
        } finally {
          terminal.kill();
        }
      }
    });
    it("says why there is no shell to open", async () => {
      const said = async (...words: readonly string[]) => {
        const terminal = onTerminal([process.execPath, mainFile, "shell", ...words], cli.env);
        assert.equal(await terminal.exit, 1);
        return terminal.said();
      };
      assert.match(await said("nobody"), /workspaces\.vendetta\.dev "nobody" not found/);
      assert.match(await said("dev", "--service", "nobody"), /services\.vendetta\.dev "nobody" not found/);
      assert.match(await said("other", "--service", "sleeper"), /Service "sleeper" runs in workspace "dev", not in "other"/);
      assert.match(await said("node/x"), /neither/);
      assert.match((await cli.run(["shell", "dev"])).stderr, /the input is no terminal.*vendetta exec dev -- sh -c/);
    });
    it("follows a log until told to end", async () => {
      const follower = cli.start(["logs", "ticker", "-f", "--tail", "1"]);
      // The last line that there was, and two that were written meanwhile.
      await eventually(() => assert.match(follower.said(), /^tick \d+\ntick \d+\ntick \d+\n/), 15_000, 100);
      assert.equal((await follower.end("SIGINT")).code, 0);
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
    it("says of a stopped workspace how to start it", async () => {
      await cli.ok("workspace", "stop", "dev");
      assert.match((await cli.run(["workspace", "exec", "dev", "true"])).stderr, /is stopped; 'vendetta workspace up dev' starts it/);
      await cli.ok("workspace", "start", "dev");
      assert.equal(await cli.ok("workspace", "exec", "dev", "echo", "-n", "up"), "up");
    });
    it("says what is wrong", async () => {
      assert.match((await cli.run(["exec", "nobody", "--", "true"])).stderr, /workspaces\.vendetta\.dev "nobody" not found/);
      assert.match((await cli.run(["exec", "dev"])).stderr, /say what to run.*vendetta exec -it dev -- sh/);
      assert.match((await cli.run(["exec", "node/x", "--", "true"])).stderr, /neither/);
      const missing = await cli.run(["exec", "dev", "--", "no-such-command"]);
      assert.deepEqual(missing, { code: 127, stdout: "", stderr: 'no-such-command: not found in workspace "dev"\ncommand terminated with exit code 127\n' });
      assert.match((await cli.run(["exec", "service/dev", "--", "true"])).stderr, /"dev" is a Workspace, .*: vendetta exec dev -- true\n$/);
    });
  });
}
