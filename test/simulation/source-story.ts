import { approvedPruneAnnotation, sourceAnnotation } from "../../src/api/annotations.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Random } from "../../src/base/random.ts";
import type { Store } from "../../src/store/store.ts";
import { sourceObjects, type SimPlace } from "./sim-place.ts";

const source = "team";
const kinds = ["Workspace", "Service"] as const;
/** Rounds in which what is held may be approved before the world is at rest: each may hold anew. */
const approvalsMax = 3;

export async function makeSource(store: Store): Promise<void> {
  await store.create("Source", { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name: source }, spec: { directory: { path: "/place", intervalSeconds: 15 } } } as never);
}

export interface SourceStepParts {
  readonly store: Store;
  readonly place: SimPlace;
  readonly random: Random;
  readonly trace: (line: string) => void;
  readonly write: (what: string, ask: () => Promise<unknown>) => Promise<void>;
}

/** Something happens to the manifests, or to what was applied of them. */
export async function sourceStep({ store, place, random, trace, write }: SourceStepParts): Promise<void> {
  const kind = random.next() < 0.4 ? "Workspace" : "Service";
  const names = sourceObjects[kind];
  const name = names[Math.floor(random.next() * names.length)]!;
  const ref = { namespace: "default", name };
  const what = random.next();
  if (what < 0.7) return trace(`the place ${place.change()}`);
  if (what < 0.8) return await write("client approves what the Source holds", () => approve(store));
  // Not of a Workspace: its own loop may be at making it anew when it is as it was again, which looks like a lie to the checker of INV-5.
  if (what < 0.9 && kind === "Service") return await write(`client changes ${kind} ${name}`, () => store.patch(kind, ref, { type: "merge", patch: { spec: { env: { ROUND: "by hand" } } } }));
  await write(`client deletes ${kind} ${name}`, () => store.delete(kind, ref));
}

async function approve(store: Store): Promise<void> {
  const { status } = await store.get("Source", { name: source });
  if (status?.heldPrune !== undefined) await store.patch("Source", { name: source }, { type: "merge", patch: { metadata: { annotations: { [approvedPruneAnnotation]: status.heldPrune.approval } } } });
}

/** Mends the place, and has all that it says happen. */
export async function settleSource(store: Store, place: SimPlace, pass: () => Promise<void>): Promise<void> {
  place.mend();
  for (let i = 0; i < approvalsMax; i++) {
    await pass();
    await approve(store);
  }
}

/** At rest the cluster holds what the manifests say, and of the Source nothing else. */
export async function checkSourceAtRest(store: Store, place: SimPlace, check: (holds: boolean, what: string) => void): Promise<void> {
  const { status, metadata } = await store.get("Source", { name: source });
  const ready = findCondition(status?.conditions, "Ready");
  check(ready?.status === "True", `the Source is not Ready: ${ready?.reason} ${ready?.message}`);
  check(metadata.annotations?.[approvedPruneAnnotation] === undefined, "an approval is left lying");
  const lists = await Promise.all(kinds.map((kind) => store.list(kind)));
  const objects = lists.flatMap(({ items }): readonly { readonly kind: string; readonly metadata: typeof metadata; readonly spec: { readonly env: Readonly<Record<string, string>> } }[] => items);
  const held = objects.filter((each) => each.metadata.annotations?.[sourceAnnotation] === source).map(({ kind, metadata: { name }, spec }) => `${kind} ${name} ${spec.env["ROUND"]}`).sort();
  const said = [...(place.said ?? [])].map(([object, value]) => `${object} ${value}`).sort();
  check(JSON.stringify(held) === JSON.stringify(said), `the manifests say ${said.join(", ")}, and there is ${held.join(", ")}`);
  const names = new Set(objects.map(({ kind, metadata: { name } }) => `${kind} ${name}`));
  const others = kinds.flatMap((kind) => sourceObjects[kind].map((name) => `${kind} ${name}`)).filter((each) => names.has(each) && place.said?.has(each) !== true);
  check(others.length === 0, `${others.join(", ")} outlived the manifests`);
}
