import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KindDefinition } from "../../src/api/kind.ts";
import { findKind, kindNames, kinds, storedKindNames } from "../../src/api/registry.ts";
import { durationArgument } from "../../src/cli/duration-argument.ts";
import { kindOfWord, kindsOfWord, resourceArgs, resourceName, shortNames } from "../../src/cli/kind-words.ts";
import { CliError } from "../../src/cli/world.ts";
import { runIn } from "./cli-harness.ts";

const says = (pattern: RegExp) => (error: unknown) => error instanceof CliError && pattern.test(error.message);

describe("words for kinds", () => {
  it("are the registry's", () => {
    for (const name of kindNames) {
      const kind: KindDefinition<never> = kinds[name];
      assert.deepEqual(shortNames[name], kind.shortNames);
      for (const word of [kind.plural, kind.singular, kind.kind, ...kind.shortNames, `${kind.plural}.${kind.group}`]) {
        assert.equal(kindOfWord(word), name, word);
        assert.equal(findKind(word), name, word);
      }
    }
  });
  it("mean the same in capitals", () => assert.equal(kindOfWord("WorkSpaces"), "Workspace"));
  it("may be several, each once; all is what one works with", () => {
    assert.deepEqual(kindsOfWord("svc,ws,services"), ["Service", "Workspace"]);
    assert.deepEqual(kindsOfWord("all"), storedKindNames.filter((name) => kinds[name].categories.includes("all")));
  });
  it("that are mistyped are answered with what was meant", () => {
    assert.throws(() => kindOfWord("servces"), says(/^the server doesn't have a resource type "servces"; did you mean "services"\?/));
    assert.throws(() => kindOfWord("gadgets"), says(/doesn't have a resource type "gadgets".*api-resources/));
  });
  it("have a full name for output", () => assert.deepEqual([resourceName("Service"), resourceName("Event")], ["service.vendetta.dev", "event"]));
});

describe("resources on a command line", () => {
  const rows: readonly (readonly [args: string, kinds: string, named: string])[] = [
    ["services", "Service", ""],
    ["svc web api", "Service", "Service/web Service/api"],
    ["svc,ws a", "Service Workspace", "Service/a Workspace/a"],
    ["svc/web ws/dev svc/api", "Service Workspace", "Service/web Workspace/dev Service/api"],
  ];
  for (const [args, expectedKinds, expectedNamed] of rows) {
    it(args, () => {
      const { kinds: found, named } = resourceArgs(args.split(" "));
      assert.equal(found.join(" "), expectedKinds);
      assert.equal(named.map((each) => `${each.kind}/${each.name}`).join(" "), expectedNamed);
    });
  }
  it("must be there, and be of one form", () => {
    assert.throws(() => resourceArgs([]), says(/which kind/));
    for (const args of [["svc/a", "b"], ["svc", "ws/a"], ["svc/"], ["/a"]]) assert.throws(() => resourceArgs(args), says(/is not KIND\/NAME|all must have one/));
  });
});

describe("durations", () => {
  for (const [text, ms] of [["60s", 60_000], ["1m30s", 90_000], ["500ms", 500], ["2h", 7_200_000], ["0", 0], ["0s", 0], ["5", 5000], ["1.5s", 1500], ["999h", 86_400_000]] as const) {
    it(`${text} is ${ms} ms`, () => assert.equal(durationArgument(text), ms));
  }
  for (const text of ["", "s", "5x", "-1s", "1s foo", "1m 30s", "Infinity", "1e3s"]) it(`"${text}" is none`, () => assert.throws(() => durationArgument(text), says(/^--timeout: .*is not a duration; write it like/)));
});

describe("what a line lacks", () => {
  for (const [args, what] of [
    ["workspace create", "new-name"],
    ["workspace restore dev", "snapshot"],
    ["workspace snapshot", "workspace"],
    ["node add", "machine"],
    ["restart", "service"],
  ] as const) {
    it(`is called by its name: ${args}`, async () => assert.deepEqual(await runIn("/nonexistent", args), { code: 1, stdout: "", stderr: `error: missing required argument '${what}'\n` }));
  }
});
