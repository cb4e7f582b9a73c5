import type { Clock } from "../../src/base/clock.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Store } from "../../src/store/store.ts";
import type { Instances } from "../instances.ts";
import type { Machines } from "../machines.ts";
import type { Supervisors } from "../service/supervisor.ts";
import type { Forwards } from "./forwards.ts";

/** What the Workspace loop works with. */
export interface WorkspaceControllerParts {
  readonly cluster: string;
  readonly store: Pick<Store, "update" | "updateStatus">;
  readonly nodes: Lister<"Node">;
  /** With `workspaceIndexes`. */
  readonly workspaces: Lister<"Workspace">;
  /** With the index "workspace": namespace/workspace. */
  readonly services: Lister<"Service">;
  readonly machines: Machines;
  readonly instances: Instances;
  readonly supervisors: Supervisors;
  readonly forwards: Forwards;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}
