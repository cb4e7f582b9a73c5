import { jsonEqual } from "../base/json-equal.ts";
import { recreationAnnotation, restartedAtAnnotation } from "./annotations.ts";
import type { AnyObject } from "./registry.ts";
import { portsOf, type Service } from "./service.ts";
import type { Workspace } from "./workspace.ts";

/** What else is fixed when an instance is made, where its engine cannot change it later. */
export interface FixedToo {
  readonly ports: boolean;
  readonly diskSizes: boolean;
}

/** What of a Workspace is fixed when its instance is made. */
export function fixedFields({ spec }: Workspace, too: FixedToo): Readonly<Record<string, unknown>> {
  const { image, imageChecksum, env, workingDir, user, mounts, ports } = spec;
  const { resources, engine } = too.diskSizes ? { resources: spec.resources, engine: engineSettings(spec) } : withoutSizes(spec);
  return { image, env, workingDir, user, mounts, resources, engine, ...(too.ports ? { ports } : {}), ...(imageChecksum === undefined ? {} : { imageChecksum }) };
}

function withoutSizes(spec: Workspace["spec"]) {
  const { disk: _disk, ...resources } = spec.resources;
  return { resources, engine: spec.qemu?.disks === undefined ? engineSettings(spec) : { ...spec.qemu, disks: spec.qemu.disks.map(({ name }) => name) } };
}

/** What the spec says that is special to its engine. */
export function engineSettings(spec: Workspace["spec"]): Readonly<Record<string, unknown>> | undefined {
  return spec.provider === "host" ? undefined : spec[spec.provider];
}

/**
 * What a change of an object does to what runs, as the end of a sentence about it; undefined when it touches no process. The loops of
 * Workspace and Service decide what is really done; this tells it beforehand.
 */
export function changeEffect(before: AnyObject, after: AnyObject): string | undefined {
  if (before.kind === "Workspace" && after.kind === "Workspace") return workspaceEffect(before, after);
  if (before.kind === "Service" && after.kind === "Service") return serviceEffect(before, after);
  return undefined;
}

function workspaceEffect(before: Workspace, after: Workspace): string | undefined {
  if (after.spec.state === "Stopped") return before.spec.state === "Stopped" ? undefined : "it is stopped, with its Services";
  if (before.spec.state === "Stopped") return "it is started";
  // A virtual machine alone has its ports published while it runs, and its disks grow.
  const [old, next] = [before, after].map((each) => fixedFields(each, { ports: each.spec.provider !== "qemu", diskSizes: each.spec.provider !== "qemu" })) as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
  const changed = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter((field) => !jsonEqual(old[field] ?? null, next[field] ?? null)).map((field) => (field === "engine" ? after.spec.provider : field));
  if (before.metadata.annotations?.[recreationAnnotation] !== after.metadata.annotations?.[recreationAnnotation]) changed.push(`annotation ${recreationAnnotation}`);
  if (changed.length > 0) return `its instance is made anew (${changed.join(", ")} changed), volumes are kept`;
  if (!jsonEqual(before.spec.restore ?? null, after.spec.restore ?? null)) return "its disk is put back to a snapshot";
  const sizes = ({ spec }: Workspace) => [spec.resources.disk ?? null, spec.qemu?.disks ?? null];
  return jsonEqual(sizes(before), sizes(after)) ? undefined : "its disks grow";
}

function serviceEffect(before: Service, after: Service): string | undefined {
  const changed = (["command", "workingDir", "env"] as const).filter((field) => !jsonEqual(before.spec[field] ?? null, after.spec[field] ?? null)).map((field): string => field);
  if (before.metadata.annotations?.[restartedAtAnnotation] !== after.metadata.annotations?.[restartedAtAnnotation]) changed.push(`annotation ${restartedAtAnnotation}`);
  // It is told its first port, and where those answer that it depends on.
  if (portsOf(before.spec)[0]?.port !== portsOf(after.spec)[0]?.port) changed.push("port");
  if (changed.length > 0) return `it is restarted (${changed.join(", ")} changed)`;
  const dependencies = [before, after].map(({ spec }) => spec.dependsOn.map(({ name }) => name).sort());
  return jsonEqual(dependencies[0], dependencies[1]) ? undefined : "it is restarted if it is told another address (dependsOn changed)";
}
