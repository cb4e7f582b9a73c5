import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOf } from "../../src/base/keys.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import { workspaceToWake } from "../../controllers/workspace/wake.ts";
import { storedObject } from "../harness/objects.ts";

/** Whether a Service whose Ready is such wakes the loop of its Workspace in such a phase. */
function wakes(phase: string, ready: { readonly status: string; readonly reason: string }): boolean {
  const workspace = storedObject("Workspace", "dev", { provider: "host" }, { status: { phase, ports: [{ port: 80, nodePort: 20_080, via: "Engine" }] } });
  const service = storedObject("Service", "web", { workspace: "dev", command: ["httpd"], port: 80 }, { status: { conditions: [{ type: "Ready", ...ready, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
  const lister = { byKey: (key: string) => (key === keyOf(workspace) ? workspace : undefined) } as Pick<Lister<"Workspace">, "byKey"> as Lister<"Workspace">;
  return workspaceToWake(lister, service).length > 0;
}

describe("what a Service tells its Workspace's loop", () => {
  const table: readonly (readonly [string, string, { readonly status: string; readonly reason: string }, boolean])[] = [
    ["healthy: nothing new", "Running", { status: "True", reason: "Healthy" }, false],
    ["crashing: its own affair", "Running", { status: "False", reason: "CrashLoopBackOff" }, false],
    ["its instance is gone, and the Workspace counts as running: look", "Running", { status: "False", reason: "WorkspaceNotReady" }, true],
    ["nobody answers it, and the Workspace counts as running: look", "Running", { status: "Unknown", reason: "SupervisorUnreachable" }, true],
    ["it waits for a Workspace that is being started: known", "Starting", { status: "False", reason: "WorkspaceNotReady" }, false],
    ["unknown like its Workspace: known", "Unknown", { status: "Unknown", reason: "WorkspaceUnknown" }, false],
    ["while the Workspace waits for it to stop: each change", "Stopping", { status: "False", reason: "Stopping" }, true],
  ];
  for (const [name, phase, ready, expected] of table) it(name, () => assert.equal(wakes(phase, ready), expected));
});
