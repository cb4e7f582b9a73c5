import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { banOf, cycleAmong, importsOf, sourceFiles } from "./imports.ts";

const root = process.cwd();
const product = sourceFiles(root, "src", "controllers");
const everything = [...product, ...sourceFiles(root, "test")];
const code = (file: string) => readFileSync(join(root, file), "utf8");

/** Code without comments and strings' contents mattering little: good enough to find a call. */
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:])\/\/.*$/gm, "$1");

/** Words that only `src/base/system.ts` may say. */
const worldly = /\b(Date\.now\(|new Date\(\)|setTimeout\(|setInterval\(|Math\.random\(|performance\.now\(|AbortSignal\.timeout\()/;

describe("imports", () => {
  const edges = everything.flatMap((file) => importsOf(root, file).edges);

  it("keep to the table of rooms", () => {
    assert.deepEqual(edges.map(banOf).filter((each) => each !== undefined), []);
  });
  it("go round in no circle, type imports included", () => {
    assert.equal(cycleAmong(edges)?.join(" → "), undefined);
  });
  it("of commander are in src/cli alone", () => {
    assert.deepEqual(product.filter((file) => importsOf(root, file).packages.includes("commander") && !file.startsWith("src/cli/")), []);
  });
  it("of child_process are where processes are started: transports and the command line's server control", () => {
    const allowed = /^src\/(transports\/|cli\/server-control\.ts$)/;
    assert.deepEqual(product.filter((file) => importsOf(root, file).packages.some((each) => each.endsWith("child_process")) && !allowed.test(file)), []);
  });
});

describe("the import rules can fail", () => {
  for (const [from, to] of [
    ["src/base/clock.ts", "src/api/meta.ts"],
    ["src/api/meta.ts", "src/store/store.ts"],
    ["src/runtime/informer.ts", "src/store/memory-store.ts"],
    ["src/providers/docker/provider.ts", "src/transports/local.ts"],
    ["controllers/node/plan.ts", "src/providers/docker/docker-provider.ts"],
    ["src/server/app.ts", "src/runtime/informer.ts"],
    ["src/cli/program.ts", "src/server/app.ts"],
  ] as const) {
    it(`${from} → ${to} is refused`, () => assert.notEqual(banOf({ from, to }), undefined));
  }
  it("a circle is found", () => {
    assert.deepEqual(cycleAmong([{ from: "a", to: "b" }, { from: "b", to: "c" }, { from: "c", to: "a" }]), ["a", "b", "c", "a"]);
  });
});

describe("source", () => {
  it("reads time, timers and chance only through src/base/system.ts", () => {
    const found = product.filter((file) => file !== "src/base/system.ts" && worldly.test(withoutComments(code(file))));
    assert.deepEqual(found, []);
  });
  it("which is a rule that fires", () => {
    assert.ok(worldly.test("const t = Date.now();"));
    assert.ok(worldly.test(code("src/base/system.ts")));
  });
  it("has no default export, no enum, no skipped or lonely test, nothing left to do", () => {
    const banned = /^export default |^\s*(export )?(const )?enum |\b(it|describe|test)\.only\(|@ts-ignore|\bTODO\b|\bFIXME\b/m;
    const self = "test/tidy/tidy.test.ts";
    assert.deepEqual(everything.filter((file) => file !== self && banned.test(code(file))), []);
  });
  it("is compiled so that Node finds every module", () => {
    // The compiler leaves an import() as it is in a function that says `using`.
    const compiled = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js") && /import\("\.[^"]*\.ts"\)/.test(code(join("dist", name))));
    assert.deepEqual(compiled, []);
  });
  it("of the product is rarely longer than 400 lines", () => {
    const long = product.map((file) => [file, code(file).split("\n").length] as const).filter(([, lines]) => lines > 420);
    assert.deepEqual(long, []);
  });
});
