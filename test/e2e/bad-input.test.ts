import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Service } from "../../src/api/service.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { conditionOf } from "./stack.ts";

const service = (name: string, spec: string) => `apiVersion: vendetta.dev/v1alpha1\nkind: Service\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const good = service("good", "{workspace: w, command: [a]}");
const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij".split("").map((letter, i) => `${letter}: &${letter} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`).join("\n")}\n`;

interface Row {
  readonly what: string;
  readonly manifest: string;
  /** Each must stand in what it says on stderr. */
  readonly says: readonly RegExp[];
}
const rows: readonly Row[] = [
  { what: "an unknown field", manifest: service("x", "{workspace: w, command: [a], comand: [b]}"), says: [/spec\.comand/, /unknown field/] },
  { what: "a wrong type", manifest: service("x", "{workspace: w, command: [a], port: many}"), says: [/spec\.port/, /number/] },
  { what: "a value out of bounds", manifest: service("x", "{workspace: w, command: [a], port: 70000}"), says: [/spec\.port/, /65535/] },
  { what: "something missing", manifest: service("x", "{workspace: w}"), says: [/spec\.command/, /required/] },
  { what: "an unknown kind", manifest: "apiVersion: vendetta.dev/v1alpha1\nkind: Servise\nmetadata: {name: x}\n", says: [/Servise/] },
  { what: "a cycle", manifest: [service("a", "{workspace: w, command: [a], dependsOn: [{name: b}]}"), service("b", "{workspace: w, command: [a], dependsOn: [{name: c}]}"), service("c", "{workspace: w, command: [a], dependsOn: [{name: a}]}")].join("---\n"), says: [/spec\.dependsOn\[0\]\.name/, /(a → b → c → a|b → c → a → b|c → a → b → c)/] },
  { what: "two documents of which one is bad", manifest: `${good}---\n${service("bad", "{workspace: w}")}`, says: [/bad/, /spec\.command/] },
  { what: "two services on one port", manifest: [service("a", "{workspace: w, command: [a], port: 80}"), service("b", "{workspace: w, command: [a], port: 80}")].join("---\n"), says: [/spec\.port/, /80/, /already used/] },
  { what: "a YAML bomb", manifest: bomb, says: [/alias/i] },
  { what: "YAML that cannot be read", manifest: "a: [1, 2\nb: }\n", says: [/:\d+(:\d+)?/] },
  { what: "an object of 2 MB", manifest: service("x", `{workspace: w, command: [a], env: {BIG: "${"x".repeat(130_000)}"${Array.from({ length: 16 }, (_, i) => `, B${i}: "${"x".repeat(125_000)}"`).join("")}}}`), says: [/(bytes|MB|large|big)/i] },
  { what: "a name that climbs out", manifest: service("../x", "{workspace: w, command: [a]}"), says: [/metadata\.name/, /lower case/] },
  { what: "a __proto__ key", manifest: service("x", "{workspace: w, command: [a], env: {__proto__: {a: b}}}"), says: [/__proto__/] },
  { what: "a constructor key", manifest: service("x", "{workspace: w, command: [a], constructor: {prototype: {a: b}}}"), says: [/constructor/] },
  { what: "an empty file", manifest: "", says: [/no objects|nothing|empty/i] },
];

describe("bad input", () => {
  let cli: TestCli;
  before(async () => {
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    await cli.ok("server", "start");
  });
  after(() => cli.dispose());

  for (const { what, manifest, says } of rows) {
    it(`${what}: says where and why, changes nothing, and the server lives`, async () => {
      const file = join(cli.home, "bad.yaml");
      writeFileSync(file, manifest);
      const { code, stdout, stderr } = await cli.run(["apply", "-f", file]);
      assert.equal(code, 1, stdout + stderr);
      for (const pattern of says) assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /^\s+at .*:\d+/m, "no stack trace");
      assert.ok(stderr.length < 5000, `${stderr.length} characters are too many to read`);
      assert.deepEqual((await cli.json<{ items: unknown[] }>("services,workspaces", "-A")).items, []);
    });
  }

  it("a missing workspace or dependency, which only time can tell, is a condition", async () => {
    const file = join(cli.home, "waiting.yaml");
    writeFileSync(file, service("lonely", "{workspace: nowhere, command: [a], dependsOn: [{name: nobody}]}"));
    await cli.ok("apply", "-f", file);
    await eventually(async () => {
      const found = await cli.json<Service>("service", "lonely");
      assert.equal(conditionOf(found, "Ready").reason, "WorkspaceNotFound");
      assert.match(conditionOf(found, "Ready").message, /"nowhere"/);
      assert.match(conditionOf(found, "DependenciesReady").message, /"nobody".*does not exist/);
    }, 5000);
    const { code, stderr } = await cli.run(["apply", "-f", file, "--wait", "--timeout", "2s"]);
    assert.equal(code, 1);
    assert.match(stderr, /nowhere/);
    await cli.ok("delete", "-f", file);
  });
});
