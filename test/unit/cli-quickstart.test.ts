import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Workspace } from "../../src/api/workspace.ts";
import { unattendedLine } from "../../src/cli/commands/quickstart.ts";

const workspaceOf = (name: string, state: "Running" | "Stopped", namespace = "default") => ({ metadata: { name, namespace }, spec: { state } }) as Workspace;

describe("what runs on when the example is stopped", () => {
  it("is told by name, with how to have it looked after again", () =>
    assert.equal(unattendedLine([workspaceOf("dev", "Running"), workspaceOf("idle", "Stopped"), workspaceOf("api", "Running", "team")]), "Other Workspaces go on running, and nobody looks after them: dev, team/api. 'vendetta server start' takes them up again."));
  it("is nothing where nothing is to run", () => assert.deepEqual([unattendedLine([]), unattendedLine([workspaceOf("idle", "Stopped")])], [undefined, undefined]));
  it("is listed up to a bound", () => assert.match(unattendedLine(Array.from({ length: 12 }, (_, i) => workspaceOf(`w${i}`, "Running"))) ?? "", / w9, and 2 more\./));
});
