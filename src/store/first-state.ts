import { timestamp, type Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { AnyObject } from "../api/registry.ts";
import type { InitialState } from "./embedded-store.ts";
import { createdObject } from "./next-object.ts";

/** What a new store holds: the namespace that manifests without one go to. */
export function firstState({ clock, random }: { readonly clock: Clock; readonly random: Random }): InitialState {
  const identity = { uid: random.uuid(), now: timestamp(clock.now()), version: "1" };
  const object: AnyObject = createdObject("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } }, identity, () => "default");
  return { version: 1, objects: [object], changes: [] };
}
