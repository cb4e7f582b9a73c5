import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { StatusError } from "../../src/api/status-error.ts";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const shop = { labels: { app: "shop" } };
const service = (name: string, metadata: object = {}, spec: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", ...metadata }, spec: { workspace: "dev", command: ["a"], ...spec } });
const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
const yaml = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");

let cli: CliServer;
beforeEach(async () => {
  cli = await cliServer();
});
afterEach(() => cli.stop());

const stored = async () => (await cli.run("get svc,ws -A -o name")).stdout.trimEnd().split("\n").map((line) => line.replace(/^(\w+)\.vendetta\.dev/, "$1"));

describe("apply --prune", () => {
  it("deletes what is in no manifest any more, dependents first", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a"), service("b", {}, { dependsOn: [{ name: "a" }] }), service("kept"), workspace("dev")) });
    assert.deepEqual(await cli.run("apply --prune --all -f -", { stdin: yaml(service("kept")) }), {
      code: 0,
      stdout: "service.vendetta.dev/kept unchanged\nservice.vendetta.dev/b pruned\nservice.vendetta.dev/a pruned\nworkspace.vendetta.dev/dev pruned\n",
      stderr: "",
    });
    assert.deepEqual(await stored(), ["service/kept"]);
  });

  it("keeps to its selector", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", shop), service("b", shop), service("other", { labels: { app: "other" } }), service("bare")) });
    assert.equal((await cli.run("apply --prune -l app=shop -f -", { stdin: yaml(service("a", shop)) })).stdout, "service.vendetta.dev/a unchanged\nservice.vendetta.dev/b pruned\n");
    assert.deepEqual(await stored(), ["service/a", "service/bare", "service/other"]);
  });

  it("leaves what apply did not make, what says so, and what is in another namespace", async () => {
    await cli.store.create("Service", service("by-hand") as never);
    await cli.run("apply -f -", { stdin: yaml(namespace("team"), service("theirs", { namespace: "team" }), service("guarded", { annotations: { "vendetta.dev/prune": "disabled" } }), service("guessed", { annotations: { "vendetta.dev/prune": "enabled" } })) });
    assert.equal((await cli.run("apply --prune --all -f -", { stdin: yaml(service("a")) })).stdout, "service.vendetta.dev/a created\nservice.vendetta.dev/guessed pruned\n");
    assert.deepEqual(await stored(), ["service/a", "service/by-hand", "service/guarded", "service/theirs"]);
  });

  it("looks through every namespace that the manifests name", async () => {
    await cli.run("apply -f -", { stdin: yaml(namespace("team"), service("a"), service("b"), service("a", { namespace: "team" }), service("b", { namespace: "team" })) });
    assert.match((await cli.run("apply --prune --all -f -", { stdin: yaml(service("a"), service("b", { namespace: "team" })) })).stdout, /b unchanged\nservice\.vendetta\.dev\/[ab] pruned\nservice\.vendetta\.dev\/[ab] pruned\n$/);
    const { stdout } = await cli.run(["get", "svc", "-A", "-o", "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}"]);
    assert.equal(stdout, "default/a team/b ");
    assert.deepEqual((await cli.store.list("Namespace")).items.map((each) => each.metadata.name), ["default", "team"], "a Namespace is never pruned");
  });

  it("never deletes what a manifest names, even when its labels say that it is not meant", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", shop), service("moved", shop)) });
    const { code, stdout } = await cli.run("apply --prune -l app=shop -f -", { stdin: yaml(service("a", shop), service("moved", { labels: { app: "other" } })) });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "service.vendetta.dev/a unchanged\n" });
    assert.deepEqual(await stored(), ["service/a", "service/moved"]);
  });

  it("deletes nothing in a dry run, and shows what would go", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a"), service("b")) });
    for (const how of ["--dry-run", "--dry-run=server"]) {
      assert.deepEqual(await cli.run(`apply --prune --all ${how} -f -`, { stdin: yaml(service("a")) }), { code: 0, stdout: "service.vendetta.dev/a unchanged (server dry run)\nservice.vendetta.dev/b pruned (server dry run)\n", stderr: "" });
    }
    assert.deepEqual(await stored(), ["service/a", "service/b"]);
  });

  it("deletes nothing when a manifest is refused, here or by the server", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a"), service("b")) });
    for (const bad of [service("c", {}, { comand: ["x"] }), service("c", { namespace: "nowhere" })]) {
      const { code, stdout } = await cli.run("apply --prune --all -f -", { stdin: yaml(service("a"), bad) });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    }
    assert.deepEqual(await stored(), ["service/a", "service/b"]);
  });

  it("deletes nothing when one could not be stored", async () => {
    const store = createMemoryStore({ clock: systemClock, random: seededRandom(1) });
    const create: Store["create"] = (kind, object, options) =>
      object.metadata.name === "refused" && options?.dryRun !== true ? Promise.reject(new StatusError("Forbidden", "not now")) : store.create(kind, object, options);
    const failing = new Proxy(store, { get: (target, key) => (key === "create" ? create : (Reflect.get(target, key) as (...args: unknown[]) => unknown).bind(target)) });
    const other = await cliServer({ store: failing });
    try {
      await other.run("apply -f -", { stdin: yaml(service("a"), service("b")) });
      const { code, stdout, stderr } = await other.run("apply --prune --all -f -", { stdin: yaml(service("a"), service("refused")) });
      assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: "service.vendetta.dev/a unchanged\n", stderr: "Error from server (Forbidden): not now\n" });
      assert.deepEqual((await store.list("Service")).items.map((each) => each.metadata.name), ["a", "b"]);
    } finally {
      await other.stop();
    }
  });

  it("says nothing again of what is being deleted, and waits for it with --wait", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("held", { finalizers: ["test/held"] }), service("kept")) });
    assert.equal((await cli.run("apply --prune --all -f -", { stdin: yaml(service("kept")) })).stdout, "service.vendetta.dev/kept unchanged\nservice.vendetta.dev/held pruned\n");
    assert.equal((await cli.run("apply --prune --all -f -", { stdin: yaml(service("kept")) })).stdout, "service.vendetta.dev/kept unchanged\n");
    await cli.run("apply -f -", { stdin: yaml(service("late", { finalizers: ["test/held"] })) });
    const { code, stderr } = await cli.run("apply --prune --all --wait --timeout 100ms -f -", { stdin: yaml(service("kept")) });
    assert.equal(code, 1);
    assert.match(stderr, /1 of 1 are still there after 0\.1 s:\n {2}service\.vendetta\.dev\/late: Deleting/);
  });

  it("with -o leaves stdout to what has been applied", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a"), service("b")) });
    assert.deepEqual(await cli.run("apply --prune --all -o name -f -", { stdin: yaml(service("a")) }), { code: 0, stdout: "service.vendetta.dev/a\n", stderr: "service.vendetta.dev/b pruned\n" });
  });

  for (const [args, says] of [
    ["--prune", /^error: --prune would delete every Service and Workspace .*-l SELECTOR.*--all/],
    ["--prune --selector=", /^error: --prune would delete every/],
    ["--prune -l ,", /^error: Cannot parse label selector/],
    ["--prune --all -l app=shop", /^error: --all and -l cannot be given together/],
    ["--all", /^error: --all says what --prune may delete/],
    ["--prune -l a=b=c", /^error: Cannot parse label selector/],
    ["--prune --all --dry-run=client", /^error: --dry-run=client asks no server.*use --dry-run=server/],
    ["--prune -l app=none", /^error: no objects to apply: none of 1 in stdin has labels that -l "app=none" selects/],
  ] as const) {
    it(`${args}: refused, saying why`, async () => {
      await cli.run("apply -f -", { stdin: yaml(service("a"), service("b", shop)) });
      const { code, stdout, stderr } = await cli.run(`apply -f - ${args}`, { stdin: yaml(service("a")) });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, says);
      assert.deepEqual(await stored(), ["service/a", "service/b"]);
    });
  }
});

describe("apply -l", () => {
  it("applies only manifests with these labels", async () => {
    assert.equal((await cli.run("apply -l app=shop -f -", { stdin: yaml(service("a", shop), service("b")) })).stdout, "service.vendetta.dev/a created\n");
    assert.deepEqual(await stored(), ["service/a"]);
  });
});
