import type { Clock } from "../../src/base/clock.ts";
import type { Lister } from "../../src/runtime/lister.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { SourceReader } from "../../src/sources/source-reader.ts";
import type { Store } from "../../src/store/store.ts";

export interface SourceControllerParts {
  /** update and updateStatus resolve when the cache has seen it (INV-9). */
  readonly store: Pick<Store, "get" | "list" | "create" | "patch" | "delete" | "update" | "updateStatus">;
  readonly sources: Lister<"Source">;
  readonly reader: SourceReader;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}
