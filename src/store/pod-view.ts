import type { Clock } from "../base/clock.ts";
import { jsonEqual } from "../base/json-equal.ts";
import type { NamespacedName } from "../base/keys.ts";
import type { Pod } from "../api/pod.ts";
import { podOf } from "../api/pod-of.ts";
import { notFound, StatusError } from "../api/status-error.ts";
import type { Commit, CommitSource } from "./commit.ts";
import { deepFreeze } from "./frozen-json.ts";
import { History } from "./history.ts";
import { ObjectTable } from "./object-table.ts";
import { listPage } from "./page.ts";
import type { ListOptions, ListResult, WatchEvent, WatchOptions } from "./store.ts";
import { WatchHub } from "./watch-hub.ts";

/** As the store's own bounds. */
const historyEventsMax = 4096;
const watchBufferEventsMax = 4096;

/** What is known of the Pods at one version of the store. */
interface Seen {
  /** Workspaces and Services. */
  readonly sources: ObjectTable;
  readonly pods: ObjectTable;
  readonly history: History;
  version: number;
}

/**
 * Pods as a table that is kept up with the Workspaces and Services they show.
 *
 * - It is made when somebody first asks, and costs nothing before. Versions of before, and of before the server's start,
 *   are therefore Gone: clients list again.
 * - Each commit is taken in before anybody is told of it, so that a read sees all that was committed before it, and a
 *   Pod's version is the store's. A commit costs what its Workspace has Services, however many objects there are.
 */
export class PodView {
  readonly #source: CommitSource;
  readonly #hub: WatchHub;
  #seen: Seen | undefined;

  constructor(source: CommitSource, clock: Clock) {
    this.#source = source;
    this.#hub = new WatchHub(clock, watchBufferEventsMax, () => this.#now().version);
  }

  get(ref: NamespacedName): Pod {
    const pod = this.#now().pods.get("Pod", ref.namespace ?? "", ref.name);
    if (pod === undefined) throw notFound("pods", ref.name);
    return pod as Pod;
  }

  list(options: ListOptions): ListResult<Pod> {
    const { pods, history, version } = this.#now();
    return listPage(pods, version, (from) => history.after("Pod", from), "Pod", options) as ListResult<Pod>;
  }

  /** @throws Gone, BadRequest */
  watch({ from, ...selection }: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<Pod>> {
    const { history, version } = this.#now();
    const after = from === undefined || from === "" ? version : Number(from);
    if (!Number.isSafeInteger(after) || after < 0) throw new StatusError("BadRequest", `Cannot watch from resourceVersion ${JSON.stringify(from)}: it is not one that this server gave`);
    const backlog = after > version ? undefined : history.after("Pod", after);
    if (backlog === undefined) throw new StatusError("Gone", `Cannot watch pods from version ${after}: ${after > version ? `this store is only at ${version}` : "changes that old are no longer kept"}; list again`);
    return this.#hub.watch("Pod", selection, backlog, signal) as AsyncIterable<WatchEvent<Pod>>;
  }

  #now(): Seen {
    if (this.#seen !== undefined) return this.#seen;
    const { version, objects } = this.#source.snapshot();
    const seen: Seen = { sources: new ObjectTable(), pods: new ObjectTable(), history: new History(version, historyEventsMax), version };
    for (const object of objects) {
      const { namespace = "", name } = object.metadata;
      if (object.kind === "Workspace" || object.kind === "Service") seen.sources.put(object.kind, namespace, name, object);
    }
    for (const namespace of seen.sources.namespaces("Workspace")) {
      for (const name of seen.sources.names("Workspace", namespace)) seen.pods.put("Pod", namespace, name, podAt(seen.sources, namespace, name)!);
    }
    this.#seen = seen;
    this.#source.observe((commit) => this.#take(seen, commit));
    return seen;
  }

  #take(seen: Seen, commit: Commit): void {
    const { version, kind, namespace, name, before, after } = commit;
    seen.version = version;
    if (kind !== "Workspace" && kind !== "Service") return;
    if (after === undefined) seen.sources.remove(kind, namespace, name);
    else seen.sources.put(kind, namespace, name, after);
    // A Service's Workspace cannot be changed, so each change shows in one Pod.
    const changed = after ?? before;
    this.#refresh(seen, namespace, changed?.kind === "Service" ? changed.spec.workspace : name, version);
  }

  #refresh({ sources, pods, history }: Seen, namespace: string, name: string, version: number): void {
    const before = pods.get("Pod", namespace, name) as Pod | undefined;
    const after = podAt(sources, namespace, name, version);
    if (after === undefined) {
      // A Service of a Workspace that is not there.
      if (before === undefined) return;
      pods.remove("Pod", namespace, name);
    } else {
      if (before !== undefined && sameButVersion(before, after)) return;
      pods.put("Pod", namespace, name, after);
    }
    const tell = (change: Commit) => {
      history.add(change);
      this.#hub.publish(change);
    };
    if (before !== undefined && after !== undefined && before.metadata.uid !== after.metadata.uid) {
      tell({ version, kind: "Pod", namespace, name, before, after: undefined, last: lastOf(before, version) });
      return tell({ version, kind: "Pod", namespace, name, before: undefined, after, last: after });
    }
    tell({ version, kind: "Pod", namespace, name, before, after, last: after ?? lastOf(before!, version) });
  }
}

/** A Pod that goes, under the version of its going. */
function lastOf(pod: Pod, version: number): Pod {
  return deepFreeze({ ...pod, metadata: { ...pod.metadata, resourceVersion: String(version) } });
}

/** @param version of the change that made it so; absent: that of the newest of its parts */
function podAt(sources: ObjectTable, namespace: string, name: string, version?: number): Pod | undefined {
  const workspace = sources.get("Workspace", namespace, name);
  if (workspace?.kind !== "Workspace") return undefined;
  const services = [...sources.servicesIn(namespace, name)];
  const newest = version ?? Math.max(...[workspace, ...services].map((each) => Number(each.metadata.resourceVersion)));
  return deepFreeze(podOf(workspace, services, String(newest)));
}

function sameButVersion(a: Pod, b: Pod): boolean {
  return jsonEqual({ ...a, metadata: { ...a.metadata, resourceVersion: "" } }, { ...b, metadata: { ...b.metadata, resourceVersion: "" } });
}
