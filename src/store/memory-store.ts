import type { CommitLog, CommitSink, CommitSource } from "./commit.ts";
import { EmbeddedStore, type EmbeddedStoreOptions } from "./embedded-store.ts";
import { firstState } from "./first-state.ts";
import type { Store } from "./store.ts";

/** A store that forgets: for simulations and tests. A write is visible as soon as it is accepted. */
export function createMemoryStore(options: EmbeddedStoreOptions): Store & CommitSource {
  const log = (sink: CommitSink): CommitLog => ({ refusal: undefined, append: ({ version }) => sink.durable(version) });
  return new EmbeddedStore(options, firstState(options), log);
}
