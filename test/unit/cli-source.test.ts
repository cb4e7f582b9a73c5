import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { approvedPruneAnnotation, syncRequestAnnotation } from "../../src/api/annotations.ts";
import type { SourcePlanAnswer } from "../../src/api/source-plan.ts";
import type { Source, SourceSpec, SourceStatus } from "../../src/api/source.ts";
import { eventually } from "../harness/eventually.ts";
import { cliServer, type CliRun, type CliServer } from "./cli-harness.ts";

const condition = (type: string, status: "True" | "False" | "Unknown", reason: string, message: string) => ({ type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 });
const service = (name: string, metadata: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "default", ...metadata }, spec: { workspace: "dev", command: ["a"] } });

describe("vendetta source", () => {
  let cli: CliServer;
  let plan: Pick<SourcePlanAnswer, "outcome" | "steps" | "message">;
  beforeEach(async () => {
    cli = await cliServer({ plans: (name) => Promise.resolve({ apiVersion: "vendetta.dev/v1alpha1", kind: "SourcePlan", metadata: { name }, problems: [], drift: [], ...plan } as SourcePlanAnswer) });
  });
  afterEach(() => cli.stop());

  const make = async (status: SourceStatus, spec: object = { directory: { path: "/stack" } }): Promise<Source> => {
    const source = await cli.store.create("Source", { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name: "s" }, spec: spec as SourceSpec });
    return await cli.store.updateStatus("Source", { ...source, status: { observedGeneration: 1, ...status } });
  };
  const setStatus = async (change: (source: Source) => SourceStatus) => {
    const source = await cli.store.get("Source", { name: "s" });
    await cli.store.updateStatus("Source", { ...source, status: change(source) });
  };

  describe("approve", () => {
    const held = condition("Ready", "False", "PruneHeld", "nothing is applied or deleted");
    /** An approve of two of three objects, with the loop's part done by hand: one goes at once, one is held up, one is let go of. */
    const approve = async (timeout: string): Promise<{ readonly run: Promise<CliRun>; readonly isDone: () => boolean }> => {
      const names = ["now", "slow", "kept"];
      const made = await Promise.all(names.map((name) => cli.store.create("Service", service(name, name === "slow" ? { finalizers: ["example.com/hold"] } : {}) as never)));
      await make({
        conditions: [held], heldPrune: { approval: "these", count: 2, objects: ["Service default/now", "Service default/slow"] },
        inventory: made.map(({ metadata: { name, uid } }) => ({ kind: "Service", namespace: "default", name, uid, hash: "1" })),
      });
      let done = false;
      const run = cli.run(`source approve s --timeout ${timeout}`).finally(() => (done = true));
      await eventually(async () => assert.equal((await cli.store.get("Source", { name: "s" })).metadata.annotations?.[approvedPruneAnnotation], "these"), 5_000, 10);
      for (const name of ["now", "slow"]) await cli.store.delete("Service", { namespace: "default", name });
      await setStatus(({ metadata }) => ({ observedGeneration: 1, conditions: [condition("Ready", "True", "Applied", "all is well")], lastAppliedRevision: "r", lastSyncRequest: metadata.annotations![syncRequestAnnotation]!, inventory: [] }));
      return { run, isDone: () => done };
    };

    it("waits until what is deleted is gone, and not for what is let go of", async () => {
      const { run, isDone } = await approve("30s");
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(isDone(), false);
      await cli.store.patch("Service", { namespace: "default", name: "slow" }, { type: "merge", patch: { metadata: { finalizers: [] } } });
      const { code, stdout, stderr } = await run;
      assert.deepEqual([code, stdout], [0, "source.vendetta.dev/s synced: all is well at r\n1 object had to stop first, and is gone\n"], stderr);
      assert.deepEqual((await cli.store.list("Service")).items.map(({ metadata: { name } }) => name), ["kept"]);
    });
    it("is refused while nobody would hear of it", async () => {
      await make({ heldPrune: { approval: "these", count: 1, objects: ["Service default/now"] } }, { directory: { path: "/stack" }, suspend: true });
      const { code, stderr } = await cli.run("source approve s");
      assert.equal(code, 1);
      assert.match(stderr, /Source "s" is suspended; 'vendetta source resume s' has it followed again/);
      assert.equal((await cli.store.get("Source", { name: "s" })).metadata.annotations?.[approvedPruneAnnotation], undefined);
    });
    it("says what is still there when the time is up", async () => {
      const { code, stderr } = await (await approve("500ms")).run;
      assert.equal(code, 1);
      assert.match(stderr, /1 of 1 are still there after 0\.\d+ s:\n {2}service\.vendetta\.dev\/slow: Deleting\nTheir deletion goes on/);
    });
  });

  describe("diff", () => {
    let place: string;
    beforeEach(async () => {
      place = mkdtempSync(join(tmpdir(), "vd-"));
      await make({}, { directory: { path: place } });
    });
    afterEach(() => rmSync(place, { recursive: true }));
    const both = async () => await Promise.all(["source diff s", `diff -f ${place}`].map((args) => cli.run(args)));

    it("says that there is none, and nothing on stdout, also where a directory is followed", async () => {
      plan = { outcome: "Ready", steps: [] };
      const heading = 'as Source "s" would, which follows this directory:\n';
      assert.deepEqual(await both(), [{ code: 0, stdout: "", stderr: "no changes\n" }, { code: 0, stdout: "", stderr: `${heading}no changes\n` }]);
    });
    it("does not say so of what would change", async () => {
      plan = { outcome: "Ready", steps: [{ action: "pruned", kind: "Service", namespace: "default", name: "a" }] };
      for (const { code, stdout, stderr } of await both()) {
        assert.deepEqual([code, stdout], [1, "# service.vendetta.dev/a of default pruned\n"]);
        assert.doesNotMatch(stderr, /no changes/);
      }
    });
  });

  describe("list", () => {
    const held = async () => (await cli.run("source list")).stdout.split("\n").slice(0, 2).map((row) => row.split(/ {2,}/)[4]);
    it("shows how many deletions wait for an approval", async () => {
      await make({ objects: 7, conditions: [condition("Ready", "False", "PruneHeld", "held")], heldPrune: { approval: "x", count: 5, objects: [] } });
      assert.deepEqual(await held(), ["HELD", "5"]);
    });
    it("shows none of a Source that is broken", async () => {
      await make({ objects: 7, conditions: [condition("Ready", "False", "Invalid", "broken"), condition("PruneHeld", "True", "Invalid", "nothing is deleted")] });
      const [title, cell] = await held();
      assert.equal(title, "HELD");
      assert.match(cell!, /^(<none>|-)$/);
    });
  });

  describe("in explain-state", () => {
    const told = async (status: SourceStatus, spec?: object) => {
      await make(status, spec);
      return (await cli.run("explain-state source s")).stdout;
    };
    it("says what is wrong, where, and what to do", async () => {
      const problems = [{ file: "a.yaml", line: 3, column: 1, message: 'unknown kind "Sevice"' }];
      assert.equal(await told({ conditions: [condition("Ready", "False", "Invalid", "it is broken")], problems, problemCount: 4 }), [
        "✗ Source s: Invalid: it is broken", '  - a.yaml:3: unknown kind "Sevice"', "  - … and 3 more problems", "  → correct the manifests; it is read again by itself, and at once with: vendetta source sync s", "",
      ].join("\n"));
    });
    it("says which deletions wait", async () => {
      assert.equal(await told({ conditions: [condition("Ready", "False", "PruneHeld", "nothing is deleted")], heldPrune: { approval: "x", count: 3, objects: ["Service a/b"] } }), [
        "✗ Source s: PruneHeld: nothing is deleted", "  - deletions that wait for an approval: Service a/b and 2 more", "  → look at it with: vendetta source diff s; then: vendetta source approve s; or put the manifests back", "",
      ].join("\n"));
    });
    it("says that the server's user needs to be let in, where that is all", async () => {
      assert.match(await told({ conditions: [condition("Ready", "False", "PermissionDenied", "Cannot read /stack")] }), /→ let the user that the server runs as read it; it is read again by itself/);
    });
    it("says how to try a repository that does not answer, and that its last commit is in force", async () => {
      const git = { git: { url: "https://example.com/x.git", ref: "main" } };
      assert.equal(await told({ conditions: [condition("Ready", "False", "FetchFailed", "no answer"), condition("Fetched", "False", "FetchFailed", "no answer")] }, git), [
        "✗ Source s: FetchFailed: no answer", "  → try it on the server's machine, as the server's user: git ls-remote 'https://example.com/x.git' 'main'; it is read again by itself, and at once with: vendetta source sync s", "",
      ].join("\n"));
      await setStatus(() => ({ observedGeneration: 1, conditions: [condition("Ready", "True", "Applied", "well"), condition("Fetched", "False", "FetchFailed", "no answer")] }));
      assert.equal((await cli.run("explain-state source s")).stdout, "✓ Source s: Ready\n  - Fetched is False: FetchFailed: no answer\n");
    });
  });
});
