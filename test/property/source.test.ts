// Test run: about 20 s.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { approvedPruneAnnotation } from "../../src/api/annotations.ts";
import { isConflict } from "../../src/api/status-error.ts";
import { silentLogger as log } from "../../src/base/log.ts";
import { systemClock as clock } from "../../src/base/system.ts";
import { createSourceReader } from "../../src/sources/create-source-reader.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import { createSourceWorld, serviceText, type SourceWorld } from "../harness/source-world.ts";
import { checkAsync } from "./check.ts";

// Files are lists of Services, each in a document of its own; half of such a file is no YAML, or fewer Services.
const objectName = fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "i", "j");
const fileName = fc.constantFrom("1.yaml", "2.yaml", "3.yml", "sub/4.yaml", "sub/5.json");
const content = fc.uniqueArray(fc.record({ name: objectName, value: fc.integer({ min: 0, max: 3 }) }), { selector: ({ name }) => name, maxLength: 5 })
  .map((objects) => objects.map(({ name, value }) => serviceText(name, { env: { V: String(value) } })).join("---\n"));

type Operation =
  | { readonly do: "write"; readonly file: string; readonly text: string }
  /** So many thousandths of it, and then nothing for a while. */
  | { readonly do: "half"; readonly file: string; readonly text: string; readonly share: number }
  | { readonly do: "remove"; readonly file: string }
  | { readonly do: "rename"; readonly file: string; readonly to: string }
  | { readonly do: "empty" }
  /** An editor's own file. */
  | { readonly do: "swap"; readonly file: string }
  | { readonly do: "approve" }
  | { readonly do: "restart" };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), file: fileName, text: content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("half" as const), file: fileName, text: content, share: fc.integer({ min: 0, max: 1000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), file: fileName }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rename" as const), file: fileName, to: fileName }) },
  { weight: 1, arbitrary: fc.constant({ do: "empty" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("swap" as const), file: fileName }) },
  { weight: 2, arbitrary: fc.constant({ do: "approve" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

/** What the files say, by a reading of our own: names and their values, or undefined when they say nothing whole. */
function saidBy(texts: Iterable<string>): ReadonlyMap<string, string> | undefined {
  const said = new Map<string, string>();
  for (const text of texts) {
    for (const part of text.split(/^---$/m).filter((each) => each.trim() !== "")) {
      let object: { metadata: { name: string }; spec: { env: { V: string } } };
      try {
        object = JSON.parse(part) as typeof object;
      } catch {
        return undefined;
      }
      if (said.has(object.metadata.name)) return undefined;
      said.set(object.metadata.name, object.spec.env.V);
    }
  }
  return said;
}

async function stored(world: SourceWorld): Promise<ReadonlyMap<string, string>> {
  return new Map((await world.store.list("Service")).items.map(({ metadata, spec }) => [metadata.name, spec.env["V"]!]));
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** What the cluster must hold after a pass over these files. */
function next(before: ReadonlyMap<string, string>, said: ReadonlyMap<string, string> | undefined, isApproved: boolean): ReadonlyMap<string, string> {
  if (said === undefined) return before;
  const gone = [...before.keys()].filter((name) => !said.has(name)).length;
  const isHeld = gone > 0 && (said.size === 0 || (gone >= 5 && gone * 2 > before.size));
  return isHeld && !isApproved ? before : said;
}

async function approve(world: SourceWorld): Promise<void> {
  const { heldPrune } = await world.status("s");
  if (heldPrune !== undefined) await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { metadata: { annotations: { [approvedPruneAnnotation]: heldPrune.approval } } } });
}

describe("a Source under any sequence of what happens to files", () => {
  it("holds after each pass the last set that was whole, and writes nothing in a second one", async () => {
    await checkAsync(fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
      const world = createSourceWorld();
      const files = world.files("s");
      await world.make("s");
      let before: ReadonlyMap<string, string> = new Map();
      for (const each of operations) {
        const isApproved = each.do === "approve" && (await world.status("s")).heldPrune !== undefined;
        switch (each.do) {
          case "write":
            files.set(each.file, each.text);
            break;
          case "half":
            files.set(each.file, each.text.slice(0, Math.floor((each.text.length * each.share) / 1000)));
            break;
          case "remove":
            files.delete(each.file);
            break;
          case "rename": {
            const text = files.get(each.file);
            if (text !== undefined && files.delete(each.file)) files.set(each.to, text);
            break;
          }
          case "empty":
            files.clear();
            break;
          case "approve":
            await approve(world);
            break;
          case "restart":
            world.restart();
            break;
          case "swap":
            break;
        }
        await world.pass("s");
        const expected = next(before, saidBy(files.values()), isApproved);
        const now = await stored(world);
        assert.deepEqual(sorted(now), sorted(expected), `after ${JSON.stringify(each)}`);
        const { resourceVersion } = await world.store.list("Source");
        await world.pass("s");
        assert.equal((await world.store.list("Source")).resourceVersion, resourceVersion, "a second pass wrote something");
        before = now;
      }
    }), 150);
  });

  it("is at rest what lies on the disk, whatever was read while it was written", async () => {
    await checkAsync(fc.asyncProperty(fc.array(fc.tuple(operation, fc.integer({ min: 0, max: 120 })), { minLength: 5, maxLength: 20 }), async (operations) => {
      const root = mkdtempSync(join(tmpdir(), "vd-fuzz-"));
      const dir = join(root, "dir");
      mkdirSync(dir);
      const transport = createLocalTransport({ clock });
      const reader = createSourceReader({ clock, log, transport, cacheDir: join(root, "cache") });
      try {
        const world = createSourceWorld(undefined, reader);
        await world.make("s", { directory: { path: dir, intervalSeconds: 1 } });
        const ended = new AbortController();
        // Passes go on all the while, as hints would have them do.
        const passes = (async () => {
          while (!ended.signal.aborted) await passUnlessOvertaken(world);
        })();
        const operate = async () => {
          for (const [each, pauseMs] of operations) {
            act(dir, each);
            if (each.do === "approve") await approve(world);
            if (each.do === "restart") world.restart();
            await new Promise((resolve) => setTimeout(resolve, pauseMs));
          }
        };
        await Promise.all([passes, operate().finally(() => ended.abort())]);
        // Approved at last, perhaps, and no pass has seen it: what is checked first is a pass that nothing is approved for.
        await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { metadata: { annotations: { [approvedPruneAnnotation]: null } } } });
        const before = await stored(world);
        await world.pass("s");
        const said = saidBy(textsIn(dir));
        assert.deepEqual(sorted(await stored(world)), sorted(next(before, said, false)));
        await approve(world);
        await world.pass("s");
        if (said !== undefined) assert.deepEqual(sorted(await stored(world)), sorted(said));
      } finally {
        await reader.close();
        await transport.close();
        rmSync(root, { recursive: true, force: true });
      }
    }), 8);
  });
});

/** A pass whose Source was approved while it went on cannot write what it found: the queue would run it again, and so does the next pass. */
async function passUnlessOvertaken(world: SourceWorld): Promise<void> {
  try {
    await world.pass("s");
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

function act(dir: string, each: Operation): void {
  const at = (name: string) => {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  switch (each.do) {
    case "write":
      writeFileSync(`${at(each.file)}.tmp~`, each.text);
      return renameSync(`${at(each.file)}.tmp~`, at(each.file));
    case "half":
      return writeFileSync(at(each.file), each.text.slice(0, Math.floor((each.text.length * each.share) / 1000)));
    case "remove":
      return rmSync(at(each.file), { force: true });
    case "rename":
      if (names(dir).includes(each.file)) renameSync(at(each.file), at(each.to));
      return;
    case "empty":
      for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
      return;
    case "swap":
      return writeFileSync(join(dirname(at(each.file)), `.${each.file.replace(/.*\//, "")}.swp`), "swap");
    case "approve":
    case "restart":
      return;
  }
}

function names(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" });
}

function textsIn(dir: string): readonly string[] {
  return names(dir).filter((name) => /^(.*\/)?[^.][^/]*\.(yaml|yml|json)$/.test(name)).map((name) => readFileSync(join(dir, name), "utf8"));
}
