import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { runInLanes, type Job } from "../runner/lanes.ts";
import { runNodeTest } from "../runner/node-test.ts";
import { inMachineNetwork, inOwnNetwork, ownNetworkUnavailable } from "../runner/own-network.ts";
import { parseRunWish, secondsUnsaid, type RunWish } from "../runner/test-file.ts";

describe("what a test file says of how it is to be run", () => {
  const rows: readonly (readonly [string, RunWish])[] = [
    ["", { seconds: secondsUnsaid, lane: "shared" }],
    ["// Test run: about 110 s.\n\nimport x;\n", { seconds: 110, lane: "shared" }],
    ["// Test run: beside all others, since it does nothing but wait.\n", { seconds: secondsUnsaid, lane: "beside" }],
    ["// Test run: alone, since it fills the disk, all of it.\n// Test run: about 9 s.\n", { seconds: 9, lane: "alone" }],
    ['const text = "// Test run: alone";\n', { seconds: secondsUnsaid, lane: "shared" }],
  ];
  for (const [text, wish] of rows) it(JSON.stringify(text), () => assert.deepEqual(parseRunWish(text), wish));

  for (const text of ["// Test run: alone.", "// Test run: alone, since .", "// Test run: alone because it must.", "// Test run: about a minute.", "// Test run:", "// Test run: toString, since it is there."]) {
    it(`${text} is refused`, () => assert.throws(() => parseRunWish(`${text}\n`), /Cannot read "\/\/ Test run:.*say "about N s\."/));
  }

  it("is heard in what is compiled", () => {
    assert.ok(parseRunWish(readFileSync(join(import.meta.dirname, "../e2e/crash.test.js"), "utf8")).seconds > secondsUnsaid);
  });
});

describe("lanes", () => {
  /** Jobs that tell when they begin and end when they are told to. */
  const workshop = () => {
    const begun: string[] = [];
    const enders = new Map<string, () => void>();
    const job = (name: string, wish: Partial<RunWish> = {}): Job => ({
      name,
      wish: { seconds: secondsUnsaid, lane: "shared", ...wish },
      run: () => new Promise<void>((resolve) => {
        begun.push(name);
        enders.set(name, resolve);
      }),
    });
    const end = async (name: string) => {
      enders.get(name)!();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { begun, job, end };
  };

  it("take what is longest first, so many at once; what is alone waits until all else has ended", async () => {
    const { begun, job, end } = workshop();
    const all = runInLanes([job("short"), job("alone", { lane: "alone", seconds: 500 }), job("alone too", { lane: "alone" }), job("also short"), job("beside", { lane: "beside" }), job("long", { seconds: 100 })], 2);
    assert.deepEqual(begun, ["beside", "long", "short"]);
    await end("short");
    assert.deepEqual(begun.slice(3), ["also short"]);
    await end("also short");
    await end("long");
    assert.deepEqual(begun.slice(4), []);
    await end("beside");
    assert.deepEqual(begun.slice(4), ["alone"]);
    await end("alone");
    await end("alone too");
    await all;
  });
});

describe("node's runner, run by ours", () => {
  const run = async (text: string, timeoutMinutes = 1) => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, "some.test.mjs");
    writeFileSync(file, `import { it } from "node:test";\nimport { spawn } from "node:child_process";\n${text}`);
    return await runNodeTest({ files: [file], concurrency: 1, timeoutMinutes, ownNetwork: false });
  };

  it("counts, and leaves the totals out of what was said", async () => {
    const { passed, totals, text, cases } = await run('it("holds", () => {}); it("waits", { skip: "for Godot" }, () => {});');
    assert.equal(passed, true, text);
    assert.deepEqual(cases, [{ suite: "", name: "holds", result: "passed", reason: "" }, { suite: "", name: "waits", result: "skipped", reason: "for Godot" }]);
    assert.deepEqual([totals["tests"], totals["pass"], totals["fail"], totals["skipped"]], [2, 1, 0, 1]);
    assert.match(text, /✔ holds[^]*waits.*for Godot/);
    assert.doesNotMatch(text, /ℹ/);
  });
  it("fails with a test", async () => {
    const { passed, totals, text, cases } = await run('import { describe } from "node:test"; describe("all", () => { it("fails", () => { throw new Error("for this reason"); }); describe("deeper", () => it("is no case", () => {})); });');
    assert.deepEqual(cases, [{ suite: "all", name: "fails", result: "failed", reason: "" }]);
    assert.deepEqual([passed, totals["fail"]], [false, 1]);
    assert.match(text, /for this reason/);
  });
  it("fails with a process that is left behind, and names it", async () => {
    const { passed, totals, text } = await run('it("passes", () => { spawn("sleep", ["4321"], { detached: true, stdio: "ignore" }).unref(); });');
    const pid = Number(/^left behind: (\d+) sleep 4321/m.exec(text)?.[1]);
    if (!Number.isNaN(pid)) process.kill(pid);
    assert.deepEqual([passed, totals["fail"], Number.isNaN(pid)], [false, 0, false], text);
  });
  it("fails with a test that has no end", async () => {
    const { passed, text } = await run('it("goes on", () => new Promise((resolve) => setTimeout(resolve, 1e6)));', 0.02);
    assert.equal(passed, false);
    assert.match(text, /timed out/);
  });
});

describe("a network of its own", { skip: ownNetworkUnavailable() ?? false }, () => {
  const listen = (port: number) => ["-e", `require("net").createServer().listen(${port}, "127.0.0.1", function () { console.log("has it"); this.close(); }).on("error", (error) => console.log(error.code))`];
  const said = ({ argv, env = {} }: { readonly argv: readonly string[]; readonly env?: Readonly<Record<string, string>> }) => execFileSync(argv[0]!, argv.slice(1), { encoding: "utf8", env: { ...process.env, ...env }, timeout: 20_000 }).trim();

  it("has free ports that are taken outside, and a way out", async () => {
    const taken = createServer().listen({ host: "127.0.0.1", port: 0 });
    await once(taken, "listening");
    try {
      const { port } = taken.address() as { readonly port: number };
      const argv = [process.execPath, ...listen(port)];
      assert.equal(said({ argv }), "EADDRINUSE");
      assert.equal(said(inOwnNetwork(argv)), "has it");
      const { env } = inOwnNetwork([]);
      const way = inMachineNetwork(["x"], env);
      assert.deepEqual(way.slice(-1), ["x"]);
      assert.equal(said(inOwnNetwork([...way.slice(0, -1), ...argv])), "EADDRINUSE");
      assert.deepEqual(inMachineNetwork(argv, {}), argv);
    } finally {
      taken.close();
    }
  });
});
