import { createSourceReconciler, wakeSources } from "../../controllers/source/controller.ts";
import { keyOf } from "../../src/base/keys.ts";
import type { Clock } from "../../src/base/clock.ts";
import { createController, type Controller, type ControllerOptions } from "../../src/runtime/controller.ts";
import type { Informer } from "../../src/runtime/informer.ts";
import type { EventRecorder } from "../../src/runtime/recorder.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import type { Store } from "../../src/store/store.ts";
import { ProviderError } from "../../src/providers/provider.ts";
import type { faulty } from "./faults.ts";

export interface SimSourceOptions {
  readonly store: Store;
  readonly ownWrites: Pick<Store, "update" | "updateStatus">;
  readonly informers: { readonly Source: Informer<"Source">; readonly Namespace: Informer<"Namespace">; readonly Node: Informer<"Node">; readonly Workspace: Informer<"Workspace">; readonly Service: Informer<"Service"> };
  /** What lies there now. */
  readonly read: () => Reading;
  readonly onHint: (listener: () => void) => void;
  readonly call: ReturnType<typeof faulty>;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  readonly control: ControllerOptions;
  readonly trace: (line: string) => void;
  /** Told when it is decided, before the object is asked to go. */
  readonly onPrune: (object: string) => void;
}

/** The loop of Sources over a place that is only simulated; what it reads and writes may fail, come late, or be the last thing a life does. */
export function createSimSource({ store, ownWrites, informers, read: look, onHint, call, clock, recorder, control, trace, onPrune }: SimSourceOptions): Controller {
  const read = async () => {
    try {
      return await call("read the place", () => Promise.resolve(look()));
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      return { kind: "unreadable", reason: "Unreadable", message: error.message } as const;
    }
  };
  const done = () => Promise.resolve();
  const reconciler = createSourceReconciler({
    store: {
      ...ownWrites,
      get: store.get, list: store.list,
      create: (kind, object, options) => call(`create ${kind}`, () => store.create(kind, object, options)),
      patch: (kind, ref, patch, options) => call(`apply ${kind} ${ref.name}`, () => store.patch(kind, ref, patch, options)),
      delete: (kind, ref, options) => {
        onPrune(`${kind} ${ref.name}`);
        trace(`the Source prunes ${kind} ${ref.name}`);
        return call(`prune ${kind} ${ref.name}`, () => store.delete(kind, ref, options));
      },
    },
    sources: informers.Source.lister,
    reader: { read, release: done, forget: done, onHint: () => {}, close: done },
    recorder, clock,
  });
  const controller = createController(reconciler, control);
  wakeSources({ sources: informers.Source.lister, wake: controller.enqueue, informers });
  onHint(() => {
    for (const source of informers.Source.lister.list()) controller.enqueue(keyOf(source));
  });
  return controller;
}
