import type { Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Pod } from "../api/pod.ts";
import { askForRecreation } from "../api/annotations.ts";
import { workspaceUid } from "../api/pod-of.ts";
import { podKind } from "../api/pod-kind.ts";
import type { KindMap, KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { CommitSource } from "./commit.ts";
import { checkPreconditions } from "./next-object.ts";
import { PodView } from "./pod-view.ts";
import type { Preconditions, Selection, Store, WriteOptions } from "./store.ts";

/**
 * The store with Pods beside what it keeps. A Pod is read like any other object. Deleting one has its Workspace made anew, as
 * the Pod of a controller is: a Pod of another uid takes its place. Every other write is MethodNotAllowed. Events of a Workspace
 * are also found as those of its Pod.
 */
export function createPodStore(base: Store & CommitSource, clock: Clock): Store {
  const view = new PodView(base, clock);
  /** What is said of the kind "Pod" goes to the view, in the types of whoever asked for K. */
  const forPods = <K extends KindName, T>(kind: K, ask: () => Promise<T>, otherwise: () => Promise<unknown>) => (kind === "Pod" ? ask() : otherwise()) as Promise<never>;
  const refused = () => Promise.reject(new StatusError("MethodNotAllowed", `the server does not allow this method on the requested resource: ${podKind.view!.insteadOfWriting}`));

  return {
    get: (kind, ref) => forPods(kind, async () => view.get(ref), () => base.get(kind, ref)),
    list: (kind, options = {}) => forPods(kind, async () => view.list(options), () => base.list(kind, podEvents(kind, options))),
    create: (kind, object, options) => forPods(kind, refused, () => base.create(kind, object, options)),
    update: (kind, object, options) => forPods(kind, refused, () => base.update(kind, object, options)),
    updateStatus: (kind, object, options) => forPods(kind, refused, () => base.updateStatus(kind, object, options)),
    patch: (kind, ref, patch, options) => forPods(kind, refused, () => base.patch(kind, ref, patch, options)),
    delete: (kind, ref, preconditions = {}, options) => forPods(kind, () => deletePod(base, view, ref, preconditions, options), () => base.delete(kind, ref, preconditions, options)),
    watch<K extends KindName>(kind: K, options: Parameters<Store["watch"]>[1], signal: AbortSignal) {
      return (kind === "Pod" ? view.watch(options, signal) : base.watch(kind, podEvents(kind, options), signal)) as ReturnType<typeof base.watch<K>>;
    },
  };
}

async function deletePod(base: Store, view: PodView, ref: NamespacedName, preconditions: Preconditions, options: WriteOptions | undefined): Promise<Pod> {
  const pod = view.get(ref);
  checkPreconditions("Pod", pod, preconditions);
  const workspace: KindMap["Workspace"] = await base.get("Workspace", ref);
  const { metadata } = await base.patch("Workspace", ref, { type: "merge", patch: askForRecreation(workspace) }, options);
  return { ...pod, metadata: { ...pod.metadata, resourceVersion: metadata.resourceVersion } };
}

/** Whoever asks for the events of a Pod, by its uid or its kind, gets those of its Workspace: nothing else happens to a Pod. */
function podEvents<S extends Selection>(kind: KindName, options: S): S {
  if (kind !== "Event" || options.fields === undefined) return options;
  const pod = options.fields.some((each) => each.path === "involvedObject.kind" && each.equal && each.value === "Pod");
  const fields = options.fields.map((each) => {
    if (each.path === "involvedObject.uid" && each.equal) return { ...each, value: workspaceUid(each.value) };
    if (!pod) return each;
    if (each.path === "involvedObject.kind") return { ...each, value: "Workspace" };
    return each.path === "involvedObject.apiVersion" ? { ...each, value: "vendetta.dev/v1alpha1" } : each;
  });
  return { ...options, fields };
}
