import type { Clock } from "../../src/base/clock.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Store } from "../../src/store/store.ts";
import type { Crossings } from "../crossing/crossings.ts";
import type { Instances } from "../instances.ts";
import type { Machines } from "../machines.ts";
import type { Prober } from "./prober.ts";
import type { Supervisors } from "./supervisor.ts";

/** What the Service loop works with. */
export interface ServiceControllerParts {
  readonly store: Pick<Store, "update" | "updateStatus">;
  readonly nodes: Lister<"Node">;
  /** With the index "workspaceRef": namespace/name of the Workspace. */
  readonly workspaces: Lister<"Workspace">;
  /** With the indexes "workspace" (namespace/workspace) and "dependency" (namespace/name of what it depends on). */
  readonly services: Lister<"Service">;
  readonly machines: Machines;
  readonly instances: Instances;
  readonly supervisors: Supervisors;
  readonly prober: Prober;
  readonly crossings: Crossings;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}
