import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createProgress } from "../../src/cli/progress.ts";
import type { Session } from "../../src/cli/session.ts";

describe("how a wait goes, in a pipe", () => {
  it("is told once for each state, however often it comes back", () => {
    const told: string[] = [];
    const progress = createProgress({ world: { stderr: {}, env: {} }, tell: (text: string) => void told.push(text) } as unknown as Session);
    const at = (name: string, state: string, message = "") => ({ target: { kind: "Workspace" as const, namespace: "default", name }, verdict: { done: false, state, message } });
    for (let i = 0; i < 3; i++) {
      progress.update([at("a", "Creating"), at("b", "Running")]);
      progress.update([at("a", "Failed", "no image"), at("b", "Running")]);
    }
    progress.update([at("a", "Failed", "another reason")]);
    progress[Symbol.dispose]();
    assert.deepEqual(told, ["workspace/a: Creating", "workspace/b: Running", "workspace/a: Failed (no image)", "workspace/a: Failed (another reason)"]);
  });
});
