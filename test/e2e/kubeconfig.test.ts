import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable, type Kubectl } from "../harness/kubectl.ts";
import { writeManifests } from "./stack.ts";

describe("kubectl by the kubeconfig", { skip: kubectlUnavailable() ?? false, timeout: 180_000 }, () => {
  let cli: TestCli;
  let kubectl: Kubectl;
  const watch = async () => {
    const running = kubectl.start(["get", "workspaces", "--watch"]);
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
    kubectl = await createKubectl(cli);
    await cli.ok("apply", "-f", writeManifests(cli.home, "dev.yaml", [{ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev" }, spec: { provider: "host", state: "Stopped" } }]));
  });
  after(async () => {
    await kubectl?.dispose();
    await cli?.ok("delete", "workspaces", "--all");
    await cli?.dispose();
  });

  it("is this user's alone, and is printed when asked for", async () => {
    const file = join(cli.home, "kubeconfig");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    for (const option of [["--raw"], ["-o", "yaml"]]) assert.equal(await cli.ok("kubeconfig", ...option), readFileSync(file, "utf8"));
  });
  it("asks for the version and reads objects", async () => {
    assert.match(JSON.parse(await kubectl.ok("get", "--raw", "/version")).gitVersion, /^v1\.32\.\d+\+vendetta-/);
    assert.equal(await kubectl.ok("get", "--raw", "/readyz"), "ok");
    assert.match(await kubectl.ok("get", "workspaces"), /^NAME .*\ndev /);
    assert.equal(await kubectl.ok("get", "workspace", "dev", "-o", "jsonpath={.metadata.namespace}"), "default");
  });
  it("is told where the server is by its status, too", async () => {
    assert.match(await cli.ok("server", "status"), new RegExp(`^HTTPS: +https://127\\.0\\.0\\.1:${port()}$`, "m"));
    assert.equal(JSON.parse(await cli.ok("server", "status", "-o", "json")).https.url, `https://127.0.0.1:${port()}`);
  });
  it("reads a list large enough to come compressed", async () => {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "many" } };
    const many = Array.from({ length: 300 }, (_, i) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: `w${i}`, namespace: "many", annotations: { note: "x".repeat(500) } }, spec: { provider: "host", state: "Stopped" } }));
    await cli.ok("apply", "-f", writeManifests(cli.home, "many.yaml", [namespace, ...many]));
    const { items } = JSON.parse(await kubectl.ok("get", "workspaces", "-n", "many", "-o", "json")) as { readonly items: readonly object[] };
    assert.equal(items.length, 300);
  });
  it("has its watch ended without an error when the server stops, and goes on at the same port after", async () => {
    const first = port();
    const running = await watch();
    await cli.ok("server", "stop");
    const { code, stderr } = await running.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(await kubectl.fails("get", "workspaces"), /refused/);
    await cli.ok("server", "start");
    assert.equal(port(), first);
    const again = await watch();
    await cli.ok("patch", "workspace", "dev", "-p", '{"metadata":{"labels":{"a":"b"}}}');
    await eventually(() => assert.ok(again.said().split("\n").filter((line) => line.startsWith("dev")).length >= 2, again.said()), 20_000);
    await again.end();
  });
  it("is refused with what was rotated away, and goes on with what came for it", async () => {
    const old = join(cli.home, "old-kubeconfig");
    copyFileSync(join(cli.home, "kubeconfig"), old);
    const running = await watch();
    await cli.ok("kubeconfig", "rotate");
    assert.equal((await running.ended).code, 0);
    assert.match(await kubectl.fails("--kubeconfig", old, "get", "workspaces"), /You must be logged in to the server/);
    assert.match(await kubectl.ok("get", "workspaces"), /dev/);
    await cli.ok("kubeconfig", "rotate", "--ca");
    assert.match(await kubectl.fails("--kubeconfig", old, "get", "workspaces"), /certificate signed by unknown authority/);
    assert.match(await kubectl.ok("get", "workspaces"), /dev/);
  });
  it("keeps the namespace somebody chose", async () => {
    await kubectl.ok("config", "set-context", "--current", "--namespace=many");
    await cli.ok("kubeconfig", "rotate");
    assert.equal(await kubectl.ok("config", "view", "--minify", "-o", "jsonpath={..namespace}"), "many");
    await kubectl.ok("config", "set-context", "--current", "--namespace=default");
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
      assert.match(await kubectl.ok("get", "workspaces"), /dev/);
    } finally {
      squatter.close();
    }
  });
  it("leaves the token in no log, no object and no process's arguments", async () => {
    const token = readFileSync(join(cli.home, "pki", "token"), "utf8").trim();
    const logs = readdirSync(join(cli.home, "log")).map((name) => readFileSync(join(cli.home, "log", name), "utf8"));
    assert.ok(logs.some((text) => text.includes("listening")));
    for (const text of [...logs, await kubectl.ok("get", "events,workspaces,nodes", "-A", "-o", "json"), readFileSync(join(cli.home, "server.json"), "utf8"), readFileSync(`/proc/${await cli.serverPid()}/cmdline`, "utf8")]) assert.ok(!text.includes(token));
  });
});
