import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { runIn } from "./cli-harness.ts";

const service = (name: string, dependsOn: readonly string[] = []) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name }, spec: { workspace: "dev", command: ["a"], dependsOn: dependsOn.map((each) => ({ name: each })) } });
const yaml = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");

describe("validate", () => {
  it("needs no server", async () => {
    await using home = await temporaryDirectory();
    assert.deepEqual(await runIn(home.path, "validate -f -", { stdin: yaml(service("a"), service("b", ["a"])) }), { code: 0, stdout: "2 objects in 1 file: nothing wrong.\n", stderr: "" });
    const { code, stderr } = await runIn(home.path, "validate -f -", { stdin: yaml(service("a", ["b"]), service("b", ["a"])) });
    assert.equal(code, 1);
    assert.match(stderr, /dependency cycle: a → b → a/);
  });
});

describe("server logs", () => {
  it("prints the log, or its end, and says where there is none", async () => {
    await using home = await temporaryDirectory();
    assert.match((await runIn(home.path, "server logs")).stderr, /no server has been started/);
    mkdirSync(join(home.path, "log"));
    const text = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join("");
    writeFileSync(join(home.path, "log", "server.log"), text);
    assert.equal((await runIn(home.path, "server logs")).stdout, text);
    assert.equal((await runIn(home.path, "server logs --tail 2")).stdout, "line 19998\nline 19999\n");
    assert.equal((await runIn(home.path, "server logs --tail 15000")).stdout, text.slice(text.indexOf("line 5000\n")));
    assert.equal((await runIn(home.path, "server logs --tail 99999")).stdout, text);
    assert.equal((await runIn(home.path, "server logs --tail 0")).stdout, "");
    const ending = new AbortController();
    const file = join(home.path, "log", "server.log");
    let grown = false;
    const { stdout } = await runIn(home.path, "server logs -f --tail 1", {
      signal: ending.signal,
      onOutput(said) {
        if (!grown) appendFileSync(file, "one more\n");
        grown = true;
        if (said.includes("one more")) ending.abort();
      },
    });
    assert.equal(stdout, "line 19999\none more\n");
  });
});

describe("without a server", () => {
  it("a command that may not start one says so", async () => {
    await using home = await temporaryDirectory();
    const { code, stderr } = await runIn(home.path, "get nodes");
    assert.equal(code, 1);
    assert.match(stderr, /^error: No vendetta server runs for .*; run 'vendetta server start'\n$/);
  });
  it("manifests that are bad are refused all the same", async () => {
    await using home = await temporaryDirectory();
    writeFileSync(join(home.path, "bad.yaml"), "kind: Nothing\n");
    assert.match((await runIn(home.path, ["apply", "-f", join(home.path, "bad.yaml")])).stderr, /bad\.yaml:1:1: unknown kind "Nothing"/);
  });
});
