import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { createTestCli, type CliResult, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { writeManifests } from "./stack.ts";

function kubectlUnavailable(): string | undefined {
  try {
    execFileSync("kubectl", ["version", "--client"], { stdio: "ignore" });
    return undefined;
  } catch {
    if (process.env["CI"] === "true") throw new Error("kubectl is not installed; in CI that is a failure");
    return "kubectl is not installed";
  }
}

interface Running {
  readonly child: ChildProcess;
  said(): string;
  readonly ended: Promise<CliResult>;
}

/** Stock kubectl, told of nothing but a kubeconfig. */
function start(cli: TestCli, args: readonly string[], file = join(cli.home, "kubeconfig")): Running {
  const child = spawn("kubectl", args, { env: { ...cli.env, KUBECONFIG: file }, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, said: () => stdout, ended };
}

async function kubectl(cli: TestCli, args: readonly string[], file?: string): Promise<CliResult> {
  const running = start(cli, ["--request-timeout=20s", ...args], file);
  const timer = setTimeout(() => running.child.kill("SIGKILL"), 60_000);
  return await running.ended.finally(() => clearTimeout(timer));
}

describe("kubectl by the kubeconfig", { skip: kubectlUnavailable() ?? false, timeout: 180_000 }, () => {
  let cli: TestCli;
  const started: ChildProcess[] = [];
  const ok = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await kubectl(cli, args);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const watch = async (...args: readonly string[]) => {
    const running = start(cli, args);
    started.push(running.child);
    await eventually(() => assert.match(running.said(), /dev/), 20_000);
    return running;
  };
  const port = () => Number(new URL(parse(readFileSync(join(cli.home, "kubeconfig"), "utf8")).clusters[0].cluster.server).port);

  before(async () => {
    cli = createTestCli();
    // Starts the server, says so on stderr, and its path alone on stdout: `export KUBECONFIG=$(vendetta kubeconfig)`.
    const { code, stdout, stderr } = await cli.run(["kubeconfig"]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `${join(cli.home, "kubeconfig")}\n` });
    assert.match(stderr, /starting it/);
    await cli.ok("apply", "-f", writeManifests(cli.home, "dev.yaml", [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "host", state: "Stopped" } }]));
  });
  after(async () => {
    for (const child of started) child.kill("SIGKILL");
    await cli?.ok("delete", "workspaces", "--all");
    await cli?.dispose();
  });

  it("is this user's alone, and is printed when asked for", async () => {
    const file = join(cli.home, "kubeconfig");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    for (const option of [["--raw"], ["-o", "yaml"]]) assert.equal(await cli.ok("kubeconfig", ...option), readFileSync(file, "utf8"));
  });
  it("asks for the version and reads objects", async () => {
    assert.match(JSON.parse(await ok("get", "--raw", "/version")).gitVersion, /^v1\.32\.\d+\+vendetta-/);
    assert.equal(await ok("get", "--raw", "/readyz"), "ok");
    assert.match(await ok("get", "workspaces"), /^NAME .*\ndev /);
    assert.equal(await ok("get", "workspace", "dev", "-o", "jsonpath={.metadata.namespace}"), "default");
  });
  it("is told where the server is by its status, too", async () => {
    assert.match(await cli.ok("server", "status"), new RegExp(`^HTTPS: +https://127\\.0\\.0\\.1:${port()}$`, "m"));
    assert.equal(JSON.parse(await cli.ok("server", "status", "-o", "json")).https.url, `https://127.0.0.1:${port()}`);
  });
  it("reads a list large enough to come compressed", async () => {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "many" } };
    const many = Array.from({ length: 300 }, (_, i) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: `w${i}`, namespace: "many", annotations: { note: "x".repeat(500) } }, spec: { provider: "host", state: "Stopped" } }));
    await cli.ok("apply", "-f", writeManifests(cli.home, "many.yaml", [namespace, ...many]));
    const { items } = JSON.parse(await ok("get", "workspaces", "-n", "many", "-o", "json")) as { readonly items: readonly object[] };
    assert.equal(items.length, 300);
  });
  it("has its watch ended without an error when the server stops, and goes on at the same port after", async () => {
    const first = port();
    const running = await watch("get", "workspaces", "--watch");
    await cli.ok("server", "stop");
    const { code, stderr } = await running.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match((await kubectl(cli, ["get", "workspaces"])).stderr, /refused/);
    await cli.ok("server", "start");
    assert.equal(port(), first);
    const again = await watch("get", "workspaces", "--watch");
    await cli.ok("patch", "workspace", "dev", "-p", '{"metadata":{"labels":{"a":"b"}}}');
    await eventually(() => assert.ok(again.said().split("\n").filter((line) => line.startsWith("dev")).length >= 2, again.said()), 20_000);
    again.child.kill("SIGTERM");
    await again.ended;
  });
  it("is refused with what was rotated away, and goes on with what came for it", async () => {
    const old = join(cli.home, "old-kubeconfig");
    copyFileSync(join(cli.home, "kubeconfig"), old);
    const running = await watch("get", "workspaces", "--watch");
    await cli.ok("kubeconfig", "rotate");
    assert.equal((await running.ended).code, 0);
    assert.match((await kubectl(cli, ["get", "workspaces"], old)).stderr, /You must be logged in to the server/);
    assert.match(await ok("get", "workspaces"), /dev/);
    await cli.ok("kubeconfig", "rotate", "--ca");
    assert.match((await kubectl(cli, ["get", "workspaces"], old)).stderr, /certificate signed by unknown authority/);
    assert.match(await ok("get", "workspaces"), /dev/);
  });
  it("keeps the namespace somebody chose", async () => {
    await ok("config", "set-context", "--current", "--namespace=many");
    await cli.ok("kubeconfig", "rotate");
    assert.equal(await ok("config", "view", "--minify", "-o", "jsonpath={..namespace}"), "many");
    await ok("config", "set-context", "--current", "--namespace=default");
  });
  it("finds the server at another port when its own was taken meanwhile", async () => {
    const first = port();
    await cli.ok("server", "stop");
    const squatter = createServer().listen({ host: "127.0.0.1", port: first });
    await once(squatter, "listening");
    try {
      const { stderr } = await cli.run(["server", "start"]);
      assert.match(stderr, new RegExp(`^Port ${first} is taken by another process: HTTPS is at https://127\\.0\\.0\\.1:${port()} from now on`));
      assert.notEqual(port(), first);
      assert.match(await ok("get", "workspaces"), /dev/);
    } finally {
      squatter.close();
    }
  });
  it("leaves the token in no log, no object and no process's arguments", async () => {
    const token = readFileSync(join(cli.home, "pki", "token"), "utf8").trim();
    const logs = readdirSync(join(cli.home, "log")).map((name) => readFileSync(join(cli.home, "log", name), "utf8"));
    assert.ok(logs.some((text) => text.includes("listening")));
    for (const text of [...logs, await ok("get", "events,workspaces,nodes", "-A", "-o", "json"), readFileSync(join(cli.home, "server.json"), "utf8"), readFileSync(`/proc/${await cli.serverPid()}/cmdline`, "utf8")]) assert.ok(!text.includes(token));
  });
});
