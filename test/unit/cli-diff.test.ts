import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { createStyle } from "../../src/cli/style.ts";
import { unifiedDiff } from "../../src/cli/unified-diff.ts";
import { cliServer, runIn, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const service = (name: string, spec: object = {}, metadata: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", ...metadata }, spec: { workspace: "dev", command: ["a"], ...spec } });
const yaml = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");
const same = { code: 0, stdout: "", stderr: "" };

describe("diff", () => {
  let cli: CliServer;
  beforeEach(async () => {
    cli = await cliServer();
  });
  afterEach(() => cli.stop());

  it("says nothing, with exit code 0, of what is as its manifest says", async () => {
    const manifests = yaml(workspace("dev"), service("a", { ports: [{ name: "http", port: 80 }], healthCheck: { http: {} } }));
    await cli.run("apply -f -", { stdin: manifests });
    assert.deepEqual(await cli.run("diff -f -", { stdin: manifests }), same);
  });

  it("shows a change in its place, with exit code 1, and changes nothing", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", { env: { ONE: "1", TWO: "2" }, port: 80 })) });
    const before = await cli.store.get("Service", { namespace: "default", name: "a" });
    const { code, stdout, stderr } = await cli.run("diff -f -", { stdin: yaml(service("a", { env: { ONE: "1", TWO: "zwei" } })) });
    assert.deepEqual({ code, stderr }, { code: 1, stderr: "" });
    const lines = stdout.split("\n");
    assert.deepEqual(lines.slice(0, 2), ["--- stored/service.vendetta.dev default/a", "+++ applied/service.vendetta.dev default/a"]);
    assert.match(lines[2]!, /^@@ -\d+,\d+ \+\d+,\d+ @@$/);
    assert.deepEqual(lines.slice(3).filter((line) => /^[-+]/.test(line)), ['-    TWO: "2"', "-  port: 80", "+    TWO: zwei"]);
    assert.ok(lines.includes('     ONE: "1"'), stdout);
    assert.deepEqual(await cli.store.get("Service", { namespace: "default", name: "a" }), before);
  });

  it("shows what would be made, defaults included, without what only a server sets", async () => {
    const { code, stdout } = await cli.run("diff -f -", { stdin: yaml(service("a", {}, { namespace: "team" }), service("b"), { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }) });
    assert.equal(code, 1);
    assert.deepEqual(stdout.split("\n").filter((line) => /^(---|\+\+\+|@@)/.test(line)).map((line) => line.replace(/\+1,\d+/, "+1,N")), [
      "--- stored/namespace team", "+++ applied/namespace team", "@@ -0,0 +1,N @@",
      "--- stored/service.vendetta.dev team/a", "+++ applied/service.vendetta.dev team/a", "@@ -0,0 +1,N @@",
      "--- stored/service.vendetta.dev default/b", "+++ applied/service.vendetta.dev default/b", "@@ -0,0 +1,N @@",
    ]);
    const [, ofA, ofB] = stdout.split(/^---.*\n\+\+\+.*\n@@.*\n/m).slice(1);
    assert.match(ofA!, /^\+apiVersion: vendetta\.dev\/v1alpha1\n\+kind: Service\n\+metadata:\n\+ {2}name: a\n/);
    assert.equal(ofA!.replaceAll("team", "default").replace("name: a", "name: b"), ofB, "the same whether its namespace is there yet or not");
    assert.doesNotMatch(stdout, /uid|creationTimestamp|resourceVersion|generation|last-applied|status/);
    assert.deepEqual((await cli.store.list("Service")).items, []);
  });

  it("leaves out what others set, and tells what apply would take away", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", {}, { labels: { kept: "1", mine: "1" } })) });
    await cli.store.patch("Service", { namespace: "default", name: "a" }, { type: "merge", patch: { metadata: { labels: { theirs: "x" } } } });
    const { stdout } = await cli.run("diff -f -", { stdin: yaml(service("a", {}, { labels: { kept: "1" } })) });
    assert.deepEqual(stdout.split("\n").slice(2).filter((line) => /^[-+]/.test(line)), ['-    mine: "1"']);
  });

  it("counts apply's own note as no difference", async () => {
    await cli.store.create("Service", service("a") as never);
    assert.deepEqual(await cli.run("diff -f -", { stdin: yaml(service("a")) }), same);
  });

  it("is coloured on a terminal only", async () => {
    const coloured = await cli.run("diff -f -", { stdin: yaml(service("a")), columns: 80 });
    assert.match(coloured.stdout, /^\u001b\[1m--- stored\/service\.vendetta\.dev default\/a\u001b\[0m\n/);
    assert.match(coloured.stdout, /^\u001b\[32m\+kind: Service\u001b\[0m$/m);
    const { stdout } = await cli.run("diff -f -", { stdin: yaml(service("a")) });
    assert.doesNotMatch(stdout, /\u001b/);
    assert.equal((await cli.run("diff --no-color -f -", { stdin: yaml(service("a")), columns: 80 })).stdout, stdout);
  });

  it("reads directories, with -R those below too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "vd-"));
    try {
      mkdirSync(join(directory, "below"));
      writeFileSync(join(directory, "a.yaml"), yaml(service("a")));
      writeFileSync(join(directory, "below", "b.yaml"), yaml(service("b")));
      const titles = async (args: readonly string[]) => [...(await cli.run(["diff", "-f", directory, ...args])).stdout.matchAll(/^--- .*\/(.)$/gm)].map(([, name]) => name);
      assert.deepEqual(await titles([]), ["a"]);
      assert.deepEqual(await titles(["-R"]), ["a", "b"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  for (const [what, args, stdin, says] of [
    ["a bad manifest", "diff -f -", yaml(service("a", { comand: ["x"] })), /^error: stdin:1:\d+: .*spec\.comand: unknown field/],
    ["what the server refuses", "diff -f -", yaml(service("a", {}, { namespace: "nowhere" })), /^error: stdin:1:1: .*nowhere.*not found/],
    ["no manifest", "diff", "", /^error: say which manifests with -f/],
    ["a file that is not there", "diff -f /nonexistent.yaml", "", /^error: Cannot read \/nonexistent\.yaml/],
    ["an option that is not there", "diff --frobnicate", "", /unknown option '--frobnicate'/],
    ["an option without its value", "-n team diff -f", "", /argument missing/],
  ] as const) {
    it(`has exit code 2 for ${what}, so that a script can tell it from a difference`, async () => {
      const { code, stdout, stderr } = await cli.run(args, { stdin });
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  }

  it("has exit code 2 when no server runs, and 0 for its help", async () => {
    const home = mkdtempSync(join(tmpdir(), "vd-"));
    try {
      const { code, stderr } = await runIn(home, "diff -f -", { stdin: yaml(service("a")) });
      assert.equal(code, 2);
      assert.match(stderr, /^error: No vendetta server runs for /);
      assert.equal((await runIn(home, "diff --help")).code, 0);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe("diff --server-side", () => {
  let cli: CliServer;
  beforeEach(async () => {
    cli = await cliServer();
  });
  afterEach(() => cli.stop());

  const changes = ({ stdout }: { readonly stdout: string }) => stdout.split("\n").slice(2).filter((line) => /^[-+]/.test(line));
  const stored = () => cli.store.get("Service", { namespace: "default", name: "a" });

  it("says nothing of what its manager has applied, shows a change, and stores nothing", async () => {
    const manifest = yaml(service("a", { port: 80 }));
    await cli.run("apply --server-side -f -", { stdin: manifest });
    const before = await stored();
    assert.deepEqual(await cli.run("diff --server-side -f -", { stdin: manifest }), same);
    const { code, stdout, stderr } = await cli.run("diff --server-side -f -", { stdin: yaml(service("a", { port: 81 }), service("b")) });
    assert.deepEqual([code, stderr], [1, ""]);
    assert.match(stdout, /^--- stored\/service\.vendetta\.dev default\/a\n\+\+\+ applied\/service\.vendetta\.dev default\/a\n@@[^]*\n- {2}port: 80\n\+ {2}port: 81\n[^]*--- stored\/service\.vendetta\.dev default\/b\n/);
    assert.doesNotMatch(stdout, /managedFields|resourceVersion/);
    assert.deepEqual(await stored(), before);
    assert.equal((await cli.store.list("Service")).items.length, 1);
  });

  it("shows what a manager lets go, and keeps what others own", async () => {
    await cli.run("apply --server-side -f -", { stdin: yaml(service("a", { env: { MINE: "1", OURS: "1" } })) });
    await cli.run("apply --server-side --field-manager other -f -", { stdin: yaml(service("a", { env: { OURS: "1" } })) });
    assert.deepEqual(changes(await cli.run("diff --server-side -f -", { stdin: yaml(service("a")) })), ["-    MINE: \"1\""]);
  });

  it("has exit code 2 for a conflict, with its advice; with --force-conflicts shows the change", async () => {
    await cli.run("apply --server-side --field-manager other -f -", { stdin: yaml(service("a", { port: 80 })) });
    const stdin = yaml(service("a", { port: 81 }));
    const { code, stdout, stderr } = await cli.run("diff --server-side -f -", { stdin });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /conflict with "other": \.spec\.port\nPlease review/);
    for (const args of ["--force-conflicts", "--field-manager other"]) assert.deepEqual(changes(await cli.run(`diff --server-side ${args} -f -`, { stdin })), ["-  port: 80", "+  port: 81"]);
  });

  it("tells what apply will come to on an object that client-side apply has had until now", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", { env: { A: "1", B: "1" } }, { labels: { gone: "1" } })) });
    await cli.store.patch("Service", { namespace: "default", name: "a" }, { type: "merge", patch: { metadata: { annotations: { theirs: "1" } } } }, { fieldManager: "somebody" });
    const stdin = yaml(service("a", { env: { A: "2" } }));
    const told = await cli.run("diff --server-side -f -", { stdin });
    assert.deepEqual(changes(told), ["-  labels:", '-    gone: "1"', '-    A: "1"', '-    B: "1"', '+    A: "2"']);
    assert.equal((await cli.run("apply --server-side -f -", { stdin })).code, 0);
    const { spec, metadata } = await stored();
    assert.deepEqual([spec.env, metadata.labels, metadata.annotations?.["theirs"]], [{ A: "2" }, undefined, "1"]);
    assert.deepEqual(await cli.run("diff --server-side -f -", { stdin }), same);
  });

  it("shows owners only when asked", async () => {
    await cli.run("apply --server-side -f -", { stdin: yaml(service("a")) });
    const { code, stdout } = await cli.run("diff --server-side --field-manager me --show-managed-fields -f -", { stdin: yaml(service("a")) });
    assert.equal(code, 1);
    assert.match(stdout, /^\+ {6}manager: me$/m);
    assert.deepEqual(await cli.run("diff --server-side --field-manager me -f -", { stdin: yaml(service("a")) }), same);
  });

  for (const option of ["--force-conflicts", "--field-manager me"]) {
    it(`refuses ${option} alone`, async () => {
      const { code, stderr } = await cli.run(`diff ${option} -f -`, { stdin: yaml(service("a")) });
      assert.equal(code, 2);
      assert.match(stderr, /only works with --server-side/);
    });
  }
});

describe("a unified diff", () => {
  const diffOf = (before: string, after: string, coloured = false) => unifiedDiff({ title: "old", text: before }, { title: "new", text: after }, createStyle(coloured));

  it("is empty for equal texts", () => assert.deepEqual(diffOf("a\n", "a\n"), []));
  it("has three lines around a change", () => {
    const lines = Array.from({ length: 9 }, (_, i) => `${i}\n`);
    assert.deepEqual(diffOf(lines.join(""), lines.with(4, "x\n").join("")), ["--- old", "+++ new", "@@ -2,7 +2,7 @@", " 1", " 2", " 3", "-4", "+x", " 5", " 6", " 7"]);
  });
  it("takes a line that begins with -- for a line", () => assert.deepEqual(diffOf("-- a\n", "", true).at(-1), "\u001b[31m--- a\u001b[0m"));
  it("lets no text move the cursor", () => assert.deepEqual(diffOf("", "a\u001b[2J\u009b\n").at(-1), "+a\\x1b[2J\\x9b"));
});
