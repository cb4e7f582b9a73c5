import { isFields } from "../../base/fields.ts";
import type { FieldSet } from "./field-set.ts";
import { union } from "./field-set.ts";
import { decodeFields, encodeFields, type FieldsV1 } from "./fields-v1.ts";

/** Entries of operation Update that one object keeps apart; older ones become one, as in Kubernetes' API server. */
export const updateManagersMax = 10;
/** Manager of the fields whose own managers were too many to be kept. */
const ancientManager = "ancient-changes";

/** metav1.ManagedFieldsEntry, as it is stored and sent. */
export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** RFC 3339, of the last write that gave the manager a field. */
  readonly time?: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: FieldsV1;
  /** Absent: it wrote the object itself. */
  readonly subresource?: string;
}

/** Who owns fields of an object, and by which kind of write. The same name applying and updating is two managers. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** "" for the object itself. */
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

export type ManagerIdentity = Omit<Manager, "time" | "fields">;

/** Whether both speak of the same manager. One that applies is the same in every version of the API. */
export function isSameManager(a: ManagerIdentity, b: ManagerIdentity): boolean {
  return a.name === b.name && a.operation === b.operation && a.subresource === b.subresource && (a.operation === "Apply" || a.apiVersion === b.apiVersion);
}

/**
 * The managers in an object's metadata.managedFields.
 * @param apiVersion of the kind: fields of another version cannot be compared with the object, and are nobody's any more
 * @returns undefined when the entries cannot be read: then, as in Kubernetes, they count as not sent
 */
export function decodeManagers(entries: readonly object[], apiVersion: string): readonly Manager[] | undefined {
  const managers: Manager[] = [];
  for (const entry of entries) {
    const manager = decodeManager(entry as Readonly<Record<string, unknown>>);
    if (manager === undefined) return undefined;
    const again = managers.findIndex((other) => isSameManager(other, manager));
    if (again >= 0) managers.splice(again, 1);
    if (manager.apiVersion === apiVersion) managers.push(manager);
  }
  return managers;
}

function decodeManager(entry: Readonly<Record<string, unknown>>): Manager | undefined {
  const { manager: name = "", operation, apiVersion, subresource = "", time, fieldsType, fieldsV1 = {} } = entry;
  if (typeof name !== "string" || typeof subresource !== "string" || typeof apiVersion !== "string" || apiVersion === "") return undefined;
  if ((operation !== "Apply" && operation !== "Update") || fieldsType !== "FieldsV1") return undefined;
  if (time !== undefined && time !== null && (typeof time !== "string" || Number.isNaN(Date.parse(time)))) return undefined;
  const fields = decodeFields(fieldsV1);
  return fields && { name, operation, apiVersion, subresource, time: time ?? undefined, fields };
}

/** Entries for metadata.managedFields: appliers first, then by time and name, as in Kubernetes. */
export function encodeManagers(managers: readonly Manager[]): readonly ManagedFieldsEntry[] {
  const ordered = managers.filter(({ fields }) => fields.size > 0).sort((a, b) => compareText(a.operation, b.operation) || secondsOf(a) - secondsOf(b) || compareText(a.name, b.name) || compareText(a.subresource, b.subresource));
  return ordered.map(({ name, operation, apiVersion, time, fields, subresource }) => ({
    manager: name,
    operation,
    apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: "FieldsV1",
    fieldsV1: encodeFields(fields),
    ...(subresource !== "" && { subresource }),
  }));
}

/** The managers with the oldest of too many updaters made one. Source: k8s.io/apimachinery managedfields, capmanagers.go. */
export function capUpdateManagers(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter(({ operation }) => operation === "Update").sort((a, b) => secondsOf(a) - secondsOf(b) || compareText(a.name, b.name));
  if (updaters.length <= updateManagersMax) return managers;
  const old = updaters.slice(0, updaters.length - updateManagersMax + 1);
  const bucket: ManagerIdentity = { name: ancientManager, operation: "Update", apiVersion: old[0]!.apiVersion, subresource: "" };
  const merged = [...old, ...updaters.filter((each) => !old.includes(each) && isSameManager(each, bucket))];
  const ancient: Manager = { ...bucket, time: old.at(-1)!.time, fields: merged.map(({ fields }) => fields).reduce(union) };
  return [...managers.filter((each) => !merged.includes(each)), ancient];
}

/** Whether a writer's managedFields ask for all that is known of managers to be forgotten: `[]`, or one empty entry. */
export function isReset(entries: readonly object[]): boolean {
  return entries.length === 0 || (entries.length === 1 && isFields(entries[0]) && Object.keys(entries[0]).length === 0);
}

function secondsOf({ time }: Manager): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
