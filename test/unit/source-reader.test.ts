import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Source } from "../../src/api/source.ts";
import { silentLogger as log } from "../../src/base/log.ts";
import { systemClock as clock } from "../../src/base/system.ts";
import { createSourceReader } from "../../src/sources/create-source-reader.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import { eventually } from "../harness/eventually.ts";
import { storedObject } from "../harness/objects.ts";

const signal = new AbortController().signal;

describe("a reader of Sources", () => {
  let root: string;
  let place: string;
  let reader: ReturnType<typeof createSourceReader>;
  let transport: ReturnType<typeof createLocalTransport>;
  let hints: number;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "vd-sources-"));
    place = join(root, "place");
    mkdirSync(place);
    transport = createLocalTransport({ clock });
    reader = createSourceReader({ clock, log, transport, cacheDir: join(root, "cache") });
    hints = 0;
    reader.onHint(() => void hints++);
  });
  afterEach(async () => {
    await reader.close();
    await transport.close();
    rmSync(root, { recursive: true, force: true });
  });

  const put = (name: string, text = name) => {
    mkdirSync(dirname(join(place, name)), { recursive: true });
    writeFileSync(join(place, name), text);
  };
  const directory = (path = place): Source => storedObject("Source", "s", { directory: { path } });
  const read = (source: Source, fresh = false) => reader.read(source, { fresh, signal });
  const whole = (reading: Reading) => {
    assert.equal(reading.kind, "read", JSON.stringify(reading));
    return reading as Extract<Reading, { kind: "read" }>;
  };
  const names = async (source = directory()) => whole(await read(source)).texts.map(({ name }) => name);
  const said = (reading: Reading) => (reading.kind === "unreadable" ? `${reading.reason}: ${reading.message}` : reading.kind);

  describe("of a directory", () => {
    it("finds manifests at every depth, in order, and nothing that is none", async () => {
      for (const name of ["b.yaml", "a.yml", "sub/deep/c.json", "readme.md", ".hidden.yaml", ".git/config.yaml", "node_modules/x/package.json", "#b.yaml#", ".b.yaml.swp", "b.yaml~", "4913"]) put(name);
      assert.deepEqual(await names(), ["a.yml", "b.yaml", "sub/deep/c.json"]);
    });
    it("leaves out what a .vendettaignore names, at its own level and below", async () => {
      for (const name of ["a.yaml", "compose.yaml", "sub/compose.yaml", "sub/keep.yaml", "other/keep.yaml", "drafts/x.yaml"]) put(name);
      put(".vendettaignore", "# not ours\n/compose.yaml\ndrafts/\n");
      put("sub/.vendettaignore", "keep.yaml\n");
      assert.deepEqual(await names(), ["a.yaml", "other/keep.yaml", "sub/compose.yaml"]);
    });
    it("follows links inside it, once, and tells of one that leads out", async () => {
      put("a.yaml");
      put("..data/b.yaml");
      symlinkSync("..data/b.yaml", join(place, "b.yaml"));
      symlinkSync(".", join(place, "round"));
      writeFileSync(join(root, "secret.yaml"), "secret");
      symlinkSync(join(root, "secret.yaml"), join(place, "out.yaml"));
      symlinkSync("nowhere", join(place, "dead.yaml"));
      const { texts, problems } = whole(await read(directory()));
      assert.deepEqual(texts.map(({ name, text }) => [name, text]), [["a.yaml", "a.yaml"], ["b.yaml", "..data/b.yaml"]]);
      assert.deepEqual(problems.map(({ place: { file }, message }) => `${file} ${message.replace(root, "")}`), ["dead.yaml is a link that leads nowhere", "out.yaml is a link that leads out of the directory, to /secret.yaml"]);
    });
    it("has one revision for one content, whatever was touched", async () => {
      put("a.yaml", "1");
      const { revision } = whole(await read(directory()));
      put("new.yaml", "1");
      rmSync(join(place, "new.yaml"));
      put("a.yaml", "1");
      assert.equal(whole(await read(directory())).revision, revision);
      put("a.yaml", "2");
      assert.notEqual(whole(await read(directory())).revision, revision);
    });
    it("waits until what is being written is at rest", async () => {
      put("a.yaml", "begun");
      const reading = read(directory());
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        put("a.yaml", `begun${"-".repeat(i)}`);
      }
      put("a.yaml", "done");
      assert.equal(whole(await reading).texts[0]!.text, "done");
    });
    it("waits until git is done with a checkout, but not for a lock that was left behind", async () => {
      execFileSync("git", ["init", "-q", root]);
      put("a.yaml", "old");
      const lock = join(root, ".git", "index.lock");
      writeFileSync(lock, "");
      const reading = read(directory());
      await new Promise((resolve) => setTimeout(resolve, 600));
      put("a.yaml", "new");
      rmSync(lock);
      assert.equal(whole(await reading).texts[0]!.text, "new");
      writeFileSync(lock, "");
      utimesSync(lock, new Date("2020-01-01"), new Date("2020-01-01"));
      assert.equal(whole(await read(directory(), true)).texts[0]!.text, "new");
    });
    it("says of one that does not come to rest that it is changing", async () => {
      let i = 0;
      const writer = setInterval(() => put("a.yaml", String(i++)), 20);
      try {
        assert.match(said(await read(directory())), /^Changing: .* has been written to all the time for 3 s/);
      } finally {
        clearInterval(writer);
      }
    });
    it("says why it cannot be read, and reads it when it is back", async () => {
      put("a.yaml");
      assert.deepEqual(await names(), ["a.yaml"]);
      renameSync(place, `${place}-off`);
      assert.match(said(await read(directory())), /^NotFound: Cannot read .*place: there is no such directory$/);
      symlinkSync("nowhere", place);
      assert.match(said(await read(directory())), /^NotFound: Cannot read .*place: it is a link to nowhere, and that is not there$/);
      rmSync(place);
      writeFileSync(place, "a file");
      assert.match(said(await read(directory())), /^NotADirectory: /);
      rmSync(place);
      symlinkSync("place", place);
      assert.match(said(await read(directory())), /^NotFound: .*circle/);
      rmSync(place);
      renameSync(`${place}-off`, place);
      assert.deepEqual(await names(), ["a.yaml"]);
    });
    it("says that it may not read one of its directories, and takes the rest for no set", { skip: process.getuid?.() === 0 ? false : "needs root, to be somebody else" }, () => {
      put("a.yaml");
      put("locked/b.yaml");
      execFileSync("chmod", ["-R", "a+rX", root]);
      execFileSync("chmod", ["700", join(place, "locked")]);
      const script = `import { readDirectory } from ${JSON.stringify(new URL("../../src/sources/read-directory.js", import.meta.url).href)};
        import { systemClock as clock } from ${JSON.stringify(new URL("../../src/base/system.js", import.meta.url).href)};
        process.setuid(65534);
        const { reading } = await readDirectory(${JSON.stringify(place)}, { clock, signal: new AbortController().signal, known: undefined });
        console.log(reading.reason + ": " + reading.message);`;
      const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
      assert.match(out, /^PermissionDenied: Cannot read .*place: the server's user may not read \/.*locked\n$/);
    });
    it("hints at changes, also in a directory that has come in another's place", async () => {
      put("a.yaml");
      const source = directory();
      await read(source);
      const hinted = async (change: () => void) => {
        const before = hints;
        change();
        await eventually(() => assert.ok(hints > before), 3_000, 20);
      };
      await eventually(() => assert.ok(hints > 0, "it is not watched yet"), 3_000, 20);
      await hinted(() => put("b.yaml"));
      await hinted(() => put("sub/c.yaml"));
      await hinted(() => {
        writeFileSync(join(place, "tmp~"), "new");
        renameSync(join(place, "tmp~"), join(place, "a.yaml"));
      });
      rmSync(place, { recursive: true });
      await read(source);
      mkdirSync(place);
      put("a.yaml");
      await read(source);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await hinted(() => put("a.yaml", "again"));
    });
  });

  describe("of a git repository", () => {
    let origin: string;
    const git = (...args: readonly string[]) => execFileSync("git", ["-C", origin, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { encoding: "utf8" }).trim();
    const commit = (name: string, text: string) => {
      mkdirSync(dirname(join(origin, name)), { recursive: true });
      writeFileSync(join(origin, name), text);
      git("add", "-A");
      git("commit", "-qm", name);
      return git("rev-parse", "HEAD");
    };
    const repository = (spec: object = {}): Source => storedObject("Source", "s", { git: { url: origin, ...spec } });
    beforeEach(() => {
      origin = join(root, "origin");
      mkdirSync(origin);
      execFileSync("git", ["init", "-q", "-b", "main", origin]);
    });

    it("reads a directory of a commit by the same rules, links too", async () => {
      for (const name of ["env/a.yaml", "env/.hidden/x.yaml", "env/node_modules/p.json", "env/skipped.yaml", "outside.yaml"]) commit(name, name);
      commit("env/.vendettaignore", "skipped.yaml\n");
      symlinkSync("a.yaml", join(origin, "env/link.yaml"));
      symlinkSync("../outside.yaml", join(origin, "env/out.yaml"));
      const head = commit("env/sub/b.json", "ümlaut\n");
      const { revision, texts, problems } = whole(await read(repository({ path: "./env/" })));
      assert.equal(revision, head);
      assert.deepEqual(texts.map(({ name, text, directory: from }) => [name, text, from]), [["a.yaml", "env/a.yaml", undefined], ["link.yaml", "env/a.yaml", undefined], ["sub/b.json", "ümlaut\n", undefined]]);
      assert.deepEqual(problems.map(({ place: { file }, message }) => `${file} ${message}`), ["out.yaml is a link that leads to no file in the directory"]);
    });
    it("fetches when it is due or asked to, and hints when a branch of this machine moves", async () => {
      const first = commit("a.yaml", "1");
      const source = repository();
      assert.equal(whole(await read(source)).revision, first);
      await eventually(() => assert.ok(hints > 0, "it is not watched yet"), 3_000, 20);
      await read(source);
      const before = hints;
      const second = commit("a.yaml", "2");
      await eventually(() => assert.ok(hints > before), 3_000, 20);
      assert.equal(whole(await read(source)).revision, second);
      git("reset", "-q", "--hard", first);
      assert.equal(whole(await read(source, true)).revision, first);
    });
    it("takes a branch, a tag and a commit, and keeps none for another", async () => {
      const first = commit("a.yaml", "1");
      git("tag", "-a", "v1", "-m", "v1");
      git("checkout", "-q", "-b", "other");
      const second = commit("a.yaml", "2");
      assert.equal(whole(await read(repository({ ref: "other" }))).revision, second);
      assert.equal(whole(await read(repository({ ref: "v1" }))).revision, first);
      assert.equal(whole(await read(repository({ ref: first }))).revision, first);
      assert.match(said(await read(repository({ ref: "none" }))), /^FetchFailed: Cannot fetch none of .*couldn't find remote ref none/);
    });
    it("goes on with what it has when the repository cannot be asked, and says so", async () => {
      const head = commit("a.yaml", "1");
      assert.equal(whole(await read(repository())).stale, undefined);
      renameSync(origin, `${origin}-off`);
      const reading = whole(await read(repository(), true));
      assert.equal(reading.revision, head);
      assert.match(reading.stale!.message, /^Cannot fetch HEAD of .*does not appear to be a git repository/);
      renameSync(`${origin}-off`, origin);
      assert.equal(whole(await read(repository(), true)).stale, undefined);
    });
    it("knows nothing of one that was never there, or has no such directory", async () => {
      const nowhere = await read(repository({ url: join(root, "nowhere") }));
      assert.match(said(nowhere), /^FetchFailed: /);
      assert.equal(nowhere.stale?.reason, "FetchFailed");
    });
    it("tells when a commit has no such directory, or something else of that name", async () => {
      commit("dir/a.yaml", "1");
      const missing = async (path: string) => whole(await read(repository({ path }), true)).missing;
      assert.equal(await missing("./dir/"), undefined);
      for (const path of ["no/such", "dir/a.yaml", "di*", ":(glob)*"]) {
        const { texts, problems } = whole(await read(repository({ path })));
        assert.deepEqual([texts, problems], [[], []]);
        assert.match((await missing(path))!, /^spec\.git\.path: commit [0-9a-f]{12} has no directory .*; correct the path, or commit manifests there/);
      }
      git("rm", "-q", "-r", "dir");
      commit("other.yaml", "1");
      assert.match((await missing("dir"))!, / has no directory dir;/);
    });
    it("asks nobody for a password, and gives up", async () => {
      // A server that wants one: 127.0.0.1:1 answers nothing, so the refusal of the connection stands for it here.
      const begun = performance.now();
      assert.match(said(await read(repository({ url: "https://127.0.0.1:1/x.git" }))), /^FetchFailed: /);
      assert.ok(performance.now() - begun < 10_000);
    });
  });
});
