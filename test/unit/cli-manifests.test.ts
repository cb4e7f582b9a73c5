import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import type { Service } from "../../src/api/service.ts";
import { readSources } from "../../src/cli/manifest-sources.ts";
import { checkManifestSet, ManifestError, parseManifests } from "../../src/cli/manifests.ts";
import { readManifests, type ManifestObject } from "../../src/manifests/read-manifests.ts";
import { CliError } from "../../src/cli/world.ts";

const room = { namespace: "default", namespaceGiven: false };
const parse = (text: string, given: Partial<typeof room> = {}) => parseManifests([{ name: "m.yaml", directory: "/work", text }], { ...room, ...given });
const service = (name: string, spec = "{workspace: w, command: [a]}") => `apiVersion: vendetta.dev/v1alpha1\nkind: Service\nmetadata:\n  name: ${name}\nspec: ${spec}\n`;

/** What is said, one line a problem. */
function problems(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof CliError, String((error as Error).stack));
    return error.message.split("\n");
  }
  return assert.fail("nothing was wrong with it");
}

describe("manifests", () => {
  it("of several documents keep their order and where they stand", () => {
    const objects = parse(`# a comment\n${service("a")}---\n---\n${service("b")}...\n`);
    assert.deepEqual(objects.map(({ kind, namespace, name, place }) => [kind, namespace, name, place]), [["Service", "default", "a", "m.yaml:2"], ["Service", "default", "b", "m.yaml:9"]]);
    assert.deepEqual(objects[1]!.at("spec.command[0]"), { file: "m.yaml", line: 13, column: 32 });
  });
  it("may be a List, JSON, and with anchors", () => {
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "x" } }] }, undefined, 1);
    assert.deepEqual(parse(list).map(({ kind, namespace, name }) => [kind, namespace, name]), [["Namespace", undefined, "x"]]);
    const [object] = parse("apiVersion: vendetta.dev/v1alpha1\nkind: Service\nmetadata: {name: a}\nspec:\n  workspace: &w w\n  command: [*w]\n");
    assert.deepEqual((object!.parsed as Service).spec.command, ["w"]);
  });
  it("are sent as written, not with the defaults filled in", () => {
    assert.deepEqual(parse(service("a"))[0]!.raw, { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "a", namespace: "default" }, spec: { workspace: "w", command: ["a"] } });
  });
  it("lose what only the server sets, so that the output of get -o yaml can be applied", () => {
    const got = { apiVersion: "v1", kind: "Namespace", metadata: { name: "x", uid: "u", resourceVersion: "7", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [] }, status: { phase: "Active" } };
    assert.deepEqual(parse(JSON.stringify(got))[0]!.raw, { apiVersion: "v1", kind: "Namespace", metadata: { name: "x" } });
  });
  it("name paths from where they lie", () => {
    const text = "apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec: {provider: host, workingDir: ./app, mounts: [{path: /x, hostPath: ../y}]}\n";
    const { workingDir, mounts } = parse(text)[0]!.raw["spec"] as { workingDir: string; mounts: { hostPath: string }[] };
    assert.deepEqual([workingDir, mounts[0]!.hostPath], ["/work/app", "/y"]);
    const [source] = parse("apiVersion: vendetta.dev/v1alpha1\nkind: Source\nmetadata: {name: a}\nspec: {directory: {path: stack}}\n");
    assert.deepEqual(source!.raw["spec"], { directory: { path: "/work/stack" } });
  });
  it("that lie in a repository are told why a relative path leads nowhere, once a path", () => {
    const text = "apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec: {provider: host, workingDir: ./app, mounts: [{path: x, hostPath: /x}, {path: /y, hostPath: ../y}]}\n---\napiVersion: vendetta.dev/v1alpha1\nkind: Source\nmetadata: {name: s}\nspec: {directory: {path: stack}}\n";
    const said = readManifests([{ name: "m.yaml", directory: undefined, text }], room).problems.map(({ message }) => message);
    const nowhere = "must be an absolute path, of the machine it is used on: there, the repository lies nowhere";
    assert.deepEqual([...said].sort(), [
      `Source "s": spec.directory.path: "stack" ${nowhere}`,
      'Workspace "a": spec.mounts[0].path: "x" must be an absolute path',
      `Workspace "a": spec.mounts[1].hostPath: "../y" ${nowhere}`,
      `Workspace "a": spec.workingDir: "./app" ${nowhere}`,
    ]);
  });
  const here = { "vendetta.dev/local": "true" };
  for (const [what, spec, nodeSelector] of [
    ["a relative hostPath keeps it here", "provider: docker, image: a, mounts: [{path: /a, volume: v}, {path: /x, hostPath: .}]", here],
    ["a relative workingDir does", "provider: host, workingDir: ./app", here],
    ["absolute paths do not", "provider: host, workingDir: /app, mounts: [{path: /x, hostPath: /x}]", undefined],
    ["nor where it names its Node", "provider: host, nodeName: box, mounts: [{path: /x, hostPath: .}]", undefined],
    ["nor where it says which Nodes will do", "provider: host, nodeSelector: {disk: fast}, mounts: [{path: /x, hostPath: .}]", { disk: "fast" }],
    ["nor where it says that all do", "provider: host, nodeSelector: {}, mounts: [{path: /x, hostPath: .}]", {}],
  ] as const) {
    it(`mean this machine by relative paths: ${what}`, () => {
      const [object] = parse(`apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec: {${spec}}\n`);
      assert.deepEqual((object!.raw["spec"] as { nodeSelector?: object }).nodeSelector, nodeSelector);
    });
  }
  it("name by workingDir a path inside what is isolated: there a relative one is an error", () => {
    const text = "apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec: {provider: docker, image: a, workingDir: ./app}\n";
    assert.match(problems(() => parse(text))[0]!, /spec\.workingDir: "\.\/app" must be an absolute path/);
  });
  it("go to the namespace that -n names, and to no other", () => {
    assert.equal(parse(service("a"), { namespace: "team", namespaceGiven: true })[0]!.namespace, "team");
    const elsewhere = service("a").replace("name: a", "name: a\n  namespace: other");
    assert.equal(parse(elsewhere)[0]!.namespace, "other");
    assert.match(problems(() => parse(elsewhere, { namespaceGiven: true }))[0]!, /^m\.yaml:5:3: .*"other".*"default"/);
  });
});

describe("what is wrong with manifests", () => {
  it("is told all at once, each with file, line and field", () => {
    const text = [service("a", "{workspace: w, comand: [x]}"), service("B", "{workspace: w, command: [a], port: many}"), service("c")].join("---\n");
    assert.deepEqual(problems(() => parse(text)), [
      'm.yaml:5:22: Service "a": spec.comand: unknown field; did you mean "command"?',
      'm.yaml:5:1: Service "a": spec.command: is required',
      'm.yaml:11:36: Service "B": spec.port: must be a number; found "many"',
      'm.yaml:10:3: Service "B": metadata.name: "B" must consist of lower case letters, digits or \'-\', and start and end with a letter or digit',
    ]);
  });
  for (const [what, text, says] of [
    ["bad syntax", "a: [1, 2\nb: }\n", /^m\.yaml:2:\d+: /],
    ["a key given twice", "kind: Service\nkind: Node\n", /^m\.yaml:2:1: .*unique/],
    ["a kind there is not", "apiVersion: vendetta.dev/v1alpha1\nkind: Servise\n", /^m\.yaml:2:1: unknown kind "Servise"; did you mean Service\?$/],
    ["no kind", "metadata: {name: a}\n", /^m\.yaml:1:1: kind is missing/],
    ["another group", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", /^m\.yaml:1:1: a Service's apiVersion cannot be "v1"; expected "vendetta\.dev\/v1alpha1"$/],
    ["no object", "- a\n- b\n", /^m\.yaml:1:1: expected an object .* found a list$/],
    ["a foreign key", service("a", "{workspace: w, command: [a], env: {__proto__: {x: y}}}"), /^m\.yaml:5:\d+: spec\.env\.__proto__: is not allowed as a field name$/],
    ["no name", "apiVersion: v1\nkind: Namespace\nmetadata: {generateName: a-}\n", /^m\.yaml:3:1: Namespace: metadata\.name: is required/],
    ["nothing at all", "# only a comment\n---\n", /^no objects found in m\.yaml$/],
    ["a name with control characters", service('"a\\u001b[2J"'), /^m\.yaml:4:3: /],
  ] as const) {
    it(what, () => {
      const [first] = problems(() => parse(text));
      assert.match(first!, says);
      assert.doesNotMatch(first!, /\u001b/);
    });
  }
  it("is bounded: aliases", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij".split("").map((letter, i) => `${letter}: &${letter} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`).join("\n")}\n`;
    assert.match(problems(() => parse(bomb))[0]!, /^m\.yaml:1:1: its aliases stand for too much/);
  });
  it("is bounded: depth", () => {
    for (const depth of [200, 100_000]) assert.match(problems(() => parse(service("a", `${"[".repeat(depth)}${"]".repeat(depth)}`)))[0]!, /nested|deep/);
  });
  it("is bounded: size", () => {
    assert.match(problems(() => parse(service("a", `{workspace: w, command: [a], env: {A: "${"x".repeat(2_000_000)}"}}`)))[0]!, /^m\.yaml:1:1: Service "a" is too large: \d+ bytes; at most 1500000 are allowed$/);
  });
  it("is bounded: what is said of it", () => {
    const said = problems(() => parse(Array.from({ length: 500 }, (_, i) => service(`a${i}`, "{}")).join("---\n")));
    assert.ok(said.length <= 21, String(said.length));
    assert.match(said.at(-1)!, /and \d+ more/);
  });
});

describe("a set of manifests", () => {
  const check = (text: string, stored: readonly ManifestObject[] = []) => checkManifestSet(parse(text), stored.map((each) => each.parsed as Service));
  const depends = (name: string, ...on: string[]) => service(name, `{workspace: w, command: [a], dependsOn: [${on.map((each) => `{name: ${each}}`).join(", ")}]}`);

  it("has no object twice", () => {
    assert.deepEqual(problems(() => check(`${service("a")}---\n${service("a")}`)), ['m.yaml:10:3: Service "a" is given twice; the first one is at m.yaml:1']);
  });
  it("has no cycle, and spells it out once", () => {
    const said = problems(() => check([depends("a", "b"), depends("b", "c"), depends("c", "a")].join("---\n")));
    assert.deepEqual(said, ['m.yaml:5:49: Service "a": spec.dependsOn[0].name: dependency cycle: a → b → c → a']);
  });
  it("has no cycle with what is stored", () => {
    assert.match(problems(() => check(depends("a", "b"), parse(depends("b", "a")))).join("\n"), /dependency cycle: a → b → a/);
  });
  it("may take a cycle apart that its old state would have closed", () => {
    check([depends("a", "b"), service("b")].join("---\n"), parse([service("a"), depends("b", "a")].join("---\n")));
  });
  it("takes no port of a workspace twice; told once", () => {
    const at80 = "{workspace: w, command: [a], port: 80}";
    assert.deepEqual(problems(() => check([service("a", at80), service("b", at80)].join("---\n"))), ['m.yaml:11:36: Service "b": spec.port: 80 is already used by Service "a" in Workspace "w"']);
    assert.match(problems(() => check(service("a", at80), parse(service("b", at80))))[0]!, /already used by Service "b"/);
  });
});

describe("where manifests are read from", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "vd-manifests-"));
    mkdirSync(join(directory, "sub"));
    mkdirSync(join(directory, "empty"));
    for (const name of ["b.yaml", "a.yml", "c.json", "notes.txt", "sub/d.yaml"]) writeFileSync(join(directory, name), name);
  });
  after(() => rmSync(directory, { recursive: true }));
  const read = async (paths: string[], recursive = false, stdin = "") => (await readSources(paths, { recursive, stdin: Readable.from([Buffer.from(stdin)]) })).map((each) => each.text);
  const fails = (paths: string[], pattern: RegExp) => assert.rejects(read(paths), (error) => error instanceof CliError && pattern.test(error.message));

  it("a file, whatever its name; a directory's manifests in order; those below with -R; stdin", async () => {
    assert.deepEqual(await read([join(directory, "notes.txt")]), ["notes.txt"]);
    assert.deepEqual(await read([directory]), ["a.yml", "b.yaml", "c.json"]);
    assert.deepEqual(await read([directory], true), ["a.yml", "b.yaml", "c.json", "sub/d.yaml"]);
    assert.deepEqual(await read([join(directory, "b.yaml"), "-"], false, "typed"), ["b.yaml", "typed"]);
  });
  it("says what is not there", async () => {
    await fails([join(directory, "missing.yaml")], /^Cannot read .*missing\.yaml: there is no such file or directory$/);
    await fails([join(directory, "empty")], /no objects found in .*empty/);
    await fails([], /say which manifests with -f/);
    await fails(["-", "-"], /once/);
  });
});

it("ManifestError cuts what is long", () => assert.ok(new ManifestError([{ place: { file: "m.yaml", line: 1, column: 1 }, message: "x".repeat(10_000) }]).message.length < 500));
