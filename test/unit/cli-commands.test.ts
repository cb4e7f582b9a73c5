import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Service } from "../../src/api/service.ts";
import { lastAppliedAnnotation } from "../../src/api/three-way-merge.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const service = (name: string, spec: object = {}, metadata: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", ...metadata }, spec: { workspace: "dev", command: ["a"], ...spec } });
const yaml = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");
const [a, b] = [service("a"), service("b", { dependsOn: [{ name: "a" }] })];

let cli: CliServer;
beforeEach(async () => {
  cli = await cliServer();
});
afterEach(() => cli.stop());

const ready = async (name: string, status: "True" | "False" = "True", message = "answers") => {
  const stored = await cli.store.get("Service", { namespace: "default", name });
  await cli.store.updateStatus("Service", {
    ...stored,
    status: { observedGeneration: stored.metadata.generation, phase: status === "True" ? "Running" : "Starting", conditions: [{ type: "Ready", status, reason: "Test", message, lastTransitionTime: "2026-01-01T00:00:00Z" }] },
  });
};

describe("apply", () => {
  it("creates, then leaves alone, then configures", async () => {
    assert.deepEqual(await cli.run("apply -f -", { stdin: yaml(workspace("dev"), a) }), { code: 0, stdout: "service.vendetta.dev/a created\nworkspace.vendetta.dev/dev created\n", stderr: "" });
    const before = await cli.store.get("Service", { namespace: "default", name: "a" });
    assert.deepEqual(await cli.run("apply -f -", { stdin: yaml(workspace("dev"), a) }), { code: 0, stdout: "service.vendetta.dev/a unchanged\nworkspace.vendetta.dev/dev unchanged\n", stderr: "" });
    assert.deepEqual(await cli.store.get("Service", { namespace: "default", name: "a" }), before);
    assert.equal((await cli.run("apply -f -", { stdin: yaml(service("a", { command: ["b"] })) })).stdout, "service.vendetta.dev/a configured\n");
    assert.deepEqual((await cli.store.get("Service", { namespace: "default", name: "a" })).spec.command, ["b"]);
  });

  it("is settled when a manifest leaves out defaults inside lists", async () => {
    const full = service("c", { ports: [{ name: "http", port: 80 }], dependsOn: [{ name: "a" }], healthCheck: { http: {} } });
    await cli.run("apply -f -", { stdin: yaml(a, full) });
    assert.equal((await cli.run("apply -f -", { stdin: yaml(a, full) })).stdout, "service.vendetta.dev/a unchanged\nservice.vendetta.dev/c unchanged\n");
  });

  it("takes away what was taken out of the manifest, and leaves what others put there", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", { env: { MINE: "1", GONE: "1" } })) });
    await cli.store.patch("Service", { namespace: "default", name: "a" }, { type: "merge", patch: { spec: { env: { THEIRS: "2" } }, metadata: { labels: { theirs: "x" } } } });
    await cli.run("apply -f -", { stdin: yaml(service("a", { env: { MINE: "1" } })) });
    const { spec, metadata } = await cli.store.get("Service", { namespace: "default", name: "a" });
    assert.deepEqual(spec.env, { MINE: "1", THEIRS: "2" });
    assert.deepEqual(metadata.labels, { theirs: "x" });
    assert.match(metadata.annotations![lastAppliedAnnotation]!, /^\{"apiVersion":.*\}\n$/);
  });

  it("applies nothing when one document is bad, and says where every fault is", async () => {
    const { code, stdout, stderr } = await cli.run("apply -f -", { stdin: yaml(a, service("B", { comand: ["x"] })) });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: stdin:3:\d+: Service "B": spec\.comand: unknown field; did you mean "command"\?\nstdin:3:\d+: Service "B": metadata\.name: /);
    assert.deepEqual((await cli.store.list("Service")).items, []);
  });

  it("applies nothing when the server refuses one", async () => {
    await cli.run("apply -f -", { stdin: yaml(workspace("dev")) });
    const { code, stdout, stderr } = await cli.run("apply -f -", { stdin: yaml(a, workspace("dev", { provider: "host", image: undefined })) });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /stdin:3:\d+: Workspace "dev": spec\.provider: cannot be changed/);
    assert.deepEqual((await cli.store.list("Service")).items, []);
  });

  it("refuses a cycle with what is stored", async () => {
    await cli.run("apply -f -", { stdin: yaml(a, b) });
    const { code, stderr } = await cli.run("apply -f -", { stdin: yaml(service("a", { dependsOn: [{ name: "b" }] })) });
    assert.equal(code, 1);
    assert.match(stderr, /dependency cycle: a → b → a/);
  });

  it("makes a Namespace and what lives in it in one go", async () => {
    const { code, stdout, stderr } = await cli.run("apply -f -", { stdin: yaml(service("a", {}, { namespace: "team" }), { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }) });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "namespace/team created\nservice.vendetta.dev/a created\n");
  });

  it("changes nothing in a dry run", async () => {
    assert.equal((await cli.run("apply --dry-run=server -f -", { stdin: yaml(a) })).stdout, "service.vendetta.dev/a created (server dry run)\n");
    assert.equal((await cli.run("apply --dry-run=client -f -", { stdin: yaml(a) })).code, 0);
    assert.deepEqual((await cli.store.list("Service")).items, []);
  });

  it("prints what it applied with -o", async () => {
    assert.equal((await cli.run("apply -o name -f -", { stdin: yaml(a) })).stdout, "service.vendetta.dev/a\n");
    const { items } = JSON.parse((await cli.run("apply -o json -f -", { stdin: yaml(a, b) })).stdout) as { items: Service[] };
    assert.deepEqual(items.map((each) => each.metadata.name), ["a", "b"]);
  });

  it("waits until all are Ready, and tells each change on stderr", async () => {
    const { resourceVersion } = await cli.store.list("Service");
    const applying = cli.run("apply --wait --timeout 20s -f -", { stdin: yaml(a) });
    const signal = new AbortController();
    for await (const event of cli.store.watch("Service", { from: resourceVersion }, signal.signal)) {
      if (event.type !== "ADDED") continue;
      await ready("a", "False", "is being started");
      await ready("a");
      break;
    }
    const { code, stdout, stderr } = await applying;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "service.vendetta.dev/a created\n");
    assert.match(stderr, /service\/a: Running\n$/);
    assert.doesNotMatch(stderr, /\u001b/);
  });

  it("says what is not Ready, and why, when the time is up", async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
    await ready("a", "False", "waits for Service db");
    const { code, stderr } = await cli.run("apply --wait --timeout 100ms -f -", { stdin: yaml(a) });
    assert.equal(code, 1);
    assert.match(stderr, /error: 1 of 1 not ready after 0\.1 s:\n {2}service\.vendetta\.dev\/a: Starting: waits for Service db\n.*explain-state service a/);
  });
});

describe("get", () => {
  it("says what to do next where there is nothing", async () => {
    const { code, stdout, stderr } = await cli.run("get services");
    assert.equal(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, /^No resources found in default namespace\.\n.*vendetta apply -f/);
  });
  it("prints a table", async () => {
    await cli.run("apply -f -", { stdin: yaml(a, b) });
    await ready("a");
    const lines = (await cli.run("get svc")).stdout.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines, [["NAME", "READY", "STATUS", "WORKSPACE", "RESTARTS", "URL", "AGE"], ["a", "True", "Running", "dev", "<none>", "<none>", lines[1]!.at(-1)!], ["b", "<none>", "<none>", "dev", "<none>", "<none>", lines[2]!.at(-1)!], [""]]);
  });
  it("fits the terminal, and says it all in a pipe", async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
    await ready("a", "False", "x".repeat(300));
    for (const line of (await cli.run("get svc -o wide", { columns: 110 })).stdout.split("\n")) {
      assert.ok(line.replace(/\u001b\[\d+m/g, "").length <= 110, line);
    }
    assert.match((await cli.run("get svc -o wide")).stdout, /x{300}/);
  });
  it("knows selectors, names, several kinds, and every output", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", {}, { labels: { app: "x" } }), b, workspace("dev")) });
    assert.equal((await cli.run("get svc -l app=x -o name")).stdout, "service.vendetta.dev/a\n");
    assert.equal((await cli.run("get svc --field-selector metadata.name=b -o name")).stdout, "service.vendetta.dev/b\n");
    assert.equal((await cli.run("get svc,ws -o name")).stdout, "service.vendetta.dev/a\nservice.vendetta.dev/b\nworkspace.vendetta.dev/dev\n");
    assert.equal((await cli.run("get all -A -o name")).stdout.split("\n").length, 4);
    assert.equal((await cli.run("get svc/b -o jsonpath={.spec.dependsOn[0].name}")).stdout, "a");
    assert.match((await cli.run("get svc b -o yaml")).stdout, /^apiVersion: vendetta\.dev\/v1alpha1\nkind: Service\n/);
    assert.equal((JSON.parse((await cli.run("get svc a b -o json")).stdout) as { items: unknown[] }).items.length, 2);
  });
  it("fails for what is not there, in kubectl's words", async () => {
    assert.deepEqual(await cli.run("get svc nope"), { code: 1, stdout: "", stderr: 'Error from server (NotFound): services.vendetta.dev "nope" not found\n' });
    assert.deepEqual(await cli.run("get svc nope --ignore-not-found"), { code: 0, stdout: "", stderr: "" });
    await cli.run("apply -f -", { stdin: yaml(a) });
    for (const output of [[], ["-o", "json"], ["-o", "name"]]) {
      const { code, stdout, stderr } = await cli.run(["get", "svc", "a", "nope", ...output]);
      assert.equal(code, 1, `${output.join(" ")}\n${stdout}`);
      assert.match(stderr, /"nope" not found/);
      assert.match(stdout, /a/);
    }
  });
  it("quotes in YAML what older readers would take for something else", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", { env: { DEBUG: "on", N: "012", EMPTY: "" } })) });
    const { stdout } = await cli.run("get svc a -o yaml");
    for (const line of ['    DEBUG: "on"', '    "N": "012"', '    EMPTY: ""']) assert.ok(stdout.split("\n").includes(line), `${line} in\n${stdout}`);
    assert.match(stdout, /creationTimestamp: "2/);
  });
  it("watches", async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
    const ending = new AbortController();
    const { stdout } = await cli.run("get svc -w", {
      signal: ending.signal,
      onOutput(text) {
        if (text.split("\n").length === 3 && !text.includes("Starting")) void ready("a", "False");
        if (text.includes("Starting")) ending.abort();
      },
    });
    assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.split(/ {2,}/).slice(0, 3)), [["NAME", "READY", "STATUS"], ["a", "<none>", "<none>"], ["a", "False", "Starting"]]);
  });
});

describe("delete", () => {
  it("deletes by name, by selector, by file", async () => {
    await cli.run("apply -f -", { stdin: yaml(a, b, service("c", {}, { labels: { app: "x" } })) });
    assert.deepEqual(await cli.run("delete svc a"), { code: 0, stdout: 'service.vendetta.dev "a" deleted\n', stderr: "" });
    assert.equal((await cli.run("delete svc -l app=x")).stdout, 'service.vendetta.dev "c" deleted\n');
    assert.equal((await cli.run("delete -f -", { stdin: yaml(b) })).stdout, 'service.vendetta.dev "b" deleted\n');
    assert.deepEqual((await cli.store.list("Service")).items, []);
  });
  it("fails for what is not there, unless it may be missing", async () => {
    assert.deepEqual(await cli.run("delete svc a"), { code: 1, stdout: "", stderr: 'Error from server (NotFound): services.vendetta.dev "a" not found\n' });
    assert.equal((await cli.run("delete svc a --ignore-not-found")).code, 0);
    assert.equal((await cli.run("delete svc --all")).code, 0);
  });
  it("does not guess: without names, a selector or --all nothing goes", async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
    assert.equal((await cli.run("delete svc")).code, 1);
    assert.equal((await cli.store.list("Service")).items.length, 1);
  });
  it("waits until finalizers let go, and says when they do not", async () => {
    await cli.store.create("Service", service("held", {}, { finalizers: ["test/held"] }) as never);
    const { code, stderr } = await cli.run("delete svc held --timeout 100ms");
    assert.equal(code, 1);
    assert.match(stderr, /1 of 1 are still there after 0\.1 s/);
    assert.equal((await cli.run("delete svc held --wait=false")).code, 0);
    let released: Promise<unknown> | undefined;
    const { code: gone } = await cli.run("delete svc held", { onOutput: () => (released ??= cli.store.patch("Service", { namespace: "default", name: "held" }, { type: "merge", patch: { metadata: { finalizers: null } } })) });
    await released;
    assert.equal(gone, 0);
  });
});

describe("wait", () => {
  it("for a condition, a value, and the end", async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
    await ready("a");
    assert.equal((await cli.run("wait svc a --for=condition=Ready")).stdout, "service.vendetta.dev/a condition met\n");
    assert.equal((await cli.run("wait svc a --for=jsonpath={.status.phase}=Running")).code, 0);
    assert.equal((await cli.run("wait svc nope --for=delete")).code, 0);
    const late = await cli.run("wait svc a --for=delete --timeout=50ms");
    assert.equal(late.code, 1);
    assert.match(late.stderr, /^error: timed out waiting for/);
  });
});

describe("patch", () => {
  beforeEach(async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
  });
  it("merges, in JSON or YAML, and says when nothing changed", async () => {
    assert.deepEqual(await cli.run(["patch", "svc", "a", "-p", '{"spec":{"port":80}}']), { code: 0, stdout: "service.vendetta.dev/a patched\n", stderr: "" });
    assert.equal((await cli.run(["patch", "svc/a", "-p", "spec: {port: 80}"])).stdout, "service.vendetta.dev/a patched (no change)\n");
    assert.equal((await cli.store.get("Service", { namespace: "default", name: "a" })).spec.port, 80);
  });
  it("takes operations, and asks only in a dry run", async () => {
    const operations = JSON.stringify([{ op: "replace", path: "/spec/command/0", value: "z" }]);
    assert.equal((await cli.run(["patch", "svc", "a", "--type=json", "--dry-run", "-p", operations, "-o", "jsonpath={.spec.command[0]}"])).stdout, "z");
    assert.equal((await cli.store.get("Service", { namespace: "default", name: "a" })).spec.command[0], "a");
    assert.equal((await cli.run(["patch", "svc", "a", "--type=json", "-p", operations])).code, 0);
    assert.equal((await cli.store.get("Service", { namespace: "default", name: "a" })).spec.command[0], "z");
  });
  it("says what is wrong with one", async () => {
    for (const [args, says] of [
      [["svc", "a"], /-p PATCH/],
      [["svc", "a", "-p", "[]"], /a merge patch is an object/],
      [["svc", "a", "-p", "{}", "--type", "json"], /a json patch is a list/],
      [["svc", "a", "-p", "{}", "--type", "strategic"], /use merge/],
      [["svc", "a", "-p", "{a: ["], /neither as JSON nor as YAML/],
      [["svc", "-p", "{}"], /say which object/],
      [["svc", "nope", "-p", "{}"], /"nope" not found/],
      [["svc", "a", "-p", '{"spec":{"bogus":1}}'], /Error from server \(Invalid\): .*spec\.bogus/],
      [["svc", "a", "-p", '{"__proto__":{"x":1}}'], /__proto__/],
    ] as const) {
      const { code, stderr } = await cli.run(["patch", ...args]);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr, says);
    }
  });
});

describe("label and annotate", () => {
  const labels = async () => (await cli.store.get("Service", { namespace: "default", name: "a" })).metadata.labels;
  const said = async (words: string) => (await cli.run(words)).stdout;
  beforeEach(async () => {
    await cli.run("apply -f -", { stdin: yaml(a) });
  });
  it("set, change and take away, and say when nothing changed", async () => {
    const before = await labels();
    assert.equal(await said("label svc a tier=front team=shop"), "service.vendetta.dev/a labeled\n");
    assert.deepEqual(await labels(), { ...before, tier: "front", team: "shop" });
    assert.equal(await said("label svc/a tier=front"), "service.vendetta.dev/a not labeled\n");
    assert.equal(await said("label svc a tier=back --overwrite --dry-run"), "service.vendetta.dev/a labeled (server dry run)\n");
    assert.equal(await said("label svc a tier- team-"), "service.vendetta.dev/a unlabeled\n");
    assert.deepEqual((await labels()) ?? {}, before ?? {});
    assert.equal(await said("annotate svc a note=a=b"), "service.vendetta.dev/a annotated\n");
    assert.equal((await cli.store.get("Service", { namespace: "default", name: "a" })).metadata.annotations?.["note"], "a=b");
  });
  it("say what is wrong", async () => {
    await cli.run("label svc a tier=front");
    for (const [words, says] of [
      ["label svc a", /KEY=VALUE sets the label/],
      ["label svc x=y", /say which object/],
      ["label svc a tier=back", /has the label tier already \(front\); to change it, add --overwrite/],
      ["label svc a x=1 x-", /the label x is given twice/],
      ["label svc a =1", /names no label/],
      ["label svc nope x=1", /"nope" not found/],
      ["label svc a x=not!good", /Error from server \(Invalid\): .*metadata\.labels/],
    ] as const) {
      const { code, stderr } = await cli.run(words);
      assert.equal(code, 1, words);
      assert.match(stderr, says);
    }
  });
});

describe("restart", () => {
  it("says when nothing is known of a Service: it is restarted when that changes", async () => {
    await cli.run("apply -f -", { stdin: yaml(a, b) });
    await ready("a");
    const stored = await cli.store.get("Service", { namespace: "default", name: "b" });
    await cli.store.updateStatus("Service", { ...stored, status: { phase: "Unknown", conditions: [{ type: "Ready", status: "Unknown", reason: "NodeUnknown", message: 'Node "box" cannot be asked', lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
    assert.deepEqual(await cli.run("restart a b"), {
      code: 0, stdout: "service.vendetta.dev/a restarted\nservice.vendetta.dev/b will be restarted\n",
      stderr: 'Nothing is known of Service "b" now, and it is restarted when that changes: Node "box" cannot be asked\n',
    });
    for (const name of ["a", "b"]) assert.ok((await cli.store.get("Service", { namespace: "default", name })).metadata.annotations?.["vendetta.dev/restartedAt"] !== undefined);
  });
  it("says when nothing runs that could be restarted, and what starts it; waits for nobody who may never come", async () => {
    const workspace = (state: string) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev", namespace: "default" }, spec: { provider: "host", state } });
    await cli.run("apply -f -", { stdin: yaml(workspace("Stopped"), a) });
    assert.deepEqual(await cli.run("restart a"), {
      code: 0, stdout: "service.vendetta.dev/a will be started\n",
      stderr: "Workspace \"dev\" is stopped, so Service \"a\" does not run; it is started with it: 'vendetta workspace up dev'\n",
    });
    const waited = await cli.run("restart a --wait");
    assert.deepEqual([waited.code, waited.stdout], [1, "service.vendetta.dev/a will be started\n"]);
    assert.match(waited.stderr, /not waited for: Service "a" is started only when somebody starts the Workspace/);
    await cli.run("apply -f -", { stdin: yaml(workspace("Running")) });
    const stored = await cli.store.get("Service", { namespace: "default", name: "a" });
    await cli.store.updateStatus("Service", { ...stored, status: { phase: "Waiting", conditions: [{ type: "Ready", status: "False", reason: "DependenciesNotReady", message: 'waiting for "db" to be Ready', lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
    assert.deepEqual(await cli.run("restart a"), {
      code: 0, stdout: "service.vendetta.dev/a will be started\n",
      stderr: 'Service "a" does not run now, and is started when that changes: waiting for "db" to be Ready\n',
    });
  });
});

describe("get, arranged", () => {
  beforeEach(async () => {
    await cli.run("apply -f -", { stdin: yaml(service("a", { port: 90 }, { labels: { tier: "x", app: "y" } }), service("b"), service("c", { port: 800 })) });
  });
  it("in columns of one's own", async () => {
    assert.equal((await cli.run(["get", "svc", "-o", "custom-columns=NAME:.metadata.name,PORT:.spec.port"])).stdout, "NAME   PORT\na      90\nb      <none>\nc      800\n");
    assert.match((await cli.run(["get", "svc", "-o", "custom-columns=NAME"])).stderr, /"NAME" is not NAME:PATH/);
  });
  it("by a field", async () => {
    for (const output of [["-o", "name"], ["-o", "jsonpath={.items[*].metadata.name}"], ["--no-headers"]]) {
      const { stdout } = await cli.run(["get", "svc", "--sort-by", "{.spec.port}", ...output]);
      assert.deepEqual([...stdout.matchAll(/(?:^|\/| )([abc])(?=\s|$)/gm)].map(([, name]) => name), ["b", "a", "c"], output.join(" "));
    }
  });
  it("by a field, when they are named, too", async () => {
    const names = async (args: string) => [...(await cli.run(args)).stdout.matchAll(/(?:^|\/)([abc])(?=\s)/gm)].map(([, name]) => name);
    assert.deepEqual(await names("get svc c a b --sort-by .spec.port"), ["b", "a", "c"]);
    assert.deepEqual(await names("get svc/c svc/a --sort-by .spec.port -o name"), ["a", "c"]);
    assert.deepEqual(await names("get svc c a"), ["c", "a"]);
  });
  it("by a field that they have: a typing error is no order", async () => {
    assert.match((await cli.run("get svc --sort-by .spec[")).stderr, /--sort-by: Cannot parse JSONPath/);
    for (const args of ["get svc --sort-by .spec.prot", "get svc a --sort-by .spec.prot", "get svc -o name --sort-by .spec.prot", "get svc,ws --sort-by .spec.prot"]) {
      const { code, stdout, stderr } = await cli.run(args);
      assert.deepEqual([code, stdout], [1, ""], args);
      assert.match(stderr, /^error: --sort-by: none of them has a field \.spec\.prot; 'vendetta explain KIND'/, args);
    }
    assert.equal((await cli.run("get svc,ws --sort-by .spec.port")).code, 0, "one of the kinds has it");
    assert.match((await cli.run("get ws --sort-by .spec.port")).stderr, /^No resources found/);
    assert.match((await cli.run(["get", "svc", "--sort-by", " "])).stderr, /--sort-by: say which field/);
  });
  it("with labels", async () => {
    assert.match((await cli.run("get svc a --show-labels")).stdout, /LABELS\n.* app=y,tier=x\n$/);
  });
});

describe("mistakes on the command line", () => {
  for (const [args, says] of [
    ["get", /missing required argument 'kind'/],
    ["get gadgets", /doesn't have a resource type "gadgets"/],
    ["get svc -o xml", /-o "xml" is not known/],
    ["get svc -l a=b=c", /Cannot parse label selector/],
    ["get svc --frobnicate", /unknown option '--frobnicate'/],
    ["aply -f x", /unknown command 'aply'.*Did you mean apply/s],
    ["apply", /say which manifests with -f/],
    ["apply -f /nonexistent.yaml", /Cannot read \/nonexistent\.yaml/],
    ["wait svc a --for=nonsense", /--for "nonsense" is not known/],
    ["delete svc a --timeout soon", /is not a duration/],
  ] as const) {
    it(`${args}: exit code 1 and a word of help, no stack`, async () => {
      const { code, stdout, stderr } = await cli.run(args);
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  }
  it("--help and --version are no mistakes", async () => {
    for (const args of ["--help", "get --help", "--version"]) assert.equal((await cli.run(args)).code, 0, args);
  });
});
