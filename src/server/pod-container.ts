import type { ContainerStatus, Pod } from "../api/pod.ts";
import { containerTarget, type ContainerTarget } from "../api/pod-of.ts";
import { StatusError } from "../api/status-error.ts";

/** The container a request is about. */
export interface RequestedContainer {
  readonly name: string;
  readonly target: ContainerTarget;
  /** Absent before the Workspace is placed. */
  readonly status: ContainerStatus | undefined;
}

/**
 * The container of that name, or the only one. The words are Kubernetes' (pkg/registry/core/pod, validateContainer).
 * @throws StatusError BadRequest
 */
export function requestedContainer(pod: Pod, asked: string | undefined): RequestedContainer {
  const names = pod.spec.containers.map((each) => each.name);
  const name = asked ?? (names.length === 1 ? names[0]! : undefined);
  if (name === undefined) throw new StatusError("BadRequest", `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(" ")}]`);
  const target = containerTarget(pod, name);
  if (target === undefined) throw new StatusError("BadRequest", `container ${name} is not valid for pod ${pod.metadata.name}`);
  return { name, target, status: pod.status.containerStatuses?.find((each) => each.name === name) };
}
