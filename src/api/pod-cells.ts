import { humanDuration } from "./human-duration.ts";
import type { ContainerStatus, Pod } from "./pod.ts";
import type { TableCell } from "./table.ts";

/** What `kubectl get pods` shows of a Pod besides its name. Source: k8s.io/kubernetes pkg/printers/internalversion, printPod. */
export function podCells({ metadata, spec, status }: Pod, nowMs: number): readonly TableCell[] {
  const statuses = status.containerStatuses ?? [];
  const ready = statuses.filter((each) => each.ready && each.state.running !== undefined).length;
  return [
    `${ready}/${spec.containers.length}`,
    metadata.deletionTimestamp === undefined ? podStatusWord(status) : "Terminating",
    restarts(statuses, nowMs),
    humanDuration(nowMs - Date.parse(metadata.creationTimestamp)),
    status.podIP ?? "<none>",
    spec.nodeName ?? "<none>",
    "<none>",
    "<none>",
  ];
}

/** The phase, or what holds up the first container that is held up. */
function podStatusWord({ phase, reason, conditions, containerStatuses = [] }: Pod["status"]): string {
  let word = reason ?? phase;
  let running = false;
  for (const { state, ready } of containerStatuses.toReversed()) {
    if (state.waiting?.reason !== undefined) word = state.waiting.reason;
    else if (state.terminated?.reason !== undefined) word = state.terminated.reason;
    else if (ready && state.running !== undefined) running = true;
  }
  if (word !== "Completed" || !running) return word;
  return conditions.some((each) => each.type === "Ready" && each.status === "True") ? "Running" : "NotReady";
}

function restarts(statuses: readonly ContainerStatus[], nowMs: number): string {
  const count = statuses.reduce((sum, each) => sum + each.restartCount, 0);
  const last = Math.max(...statuses.map((each) => Date.parse(each.lastState.terminated?.finishedAt ?? "")).filter((ms) => !Number.isNaN(ms)));
  return count === 0 || !Number.isFinite(last) ? String(count) : `${count} (${humanDuration(nowMs - last)} ago)`;
}
