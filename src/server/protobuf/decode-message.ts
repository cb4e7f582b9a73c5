import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { StatusError } from "../../api/status-error.ts";
import type { Field, FieldType, MessageType } from "./message-type.ts";

/** Fields in one message and those within it: a few bytes could otherwise become very many objects. */
const fieldsMax = 100_000;

interface Budget {
  fields: number;
}

/**
 * The message as the JSON value that Kubernetes would write for it.
 * @throws StatusError BadRequest, RequestEntityTooLarge; the library's errors on bytes that are no protobuf
 */
export function decodeMessage(type: MessageType, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  return decode(type, bytes, { fields: fieldsMax });
}

function decode({ fields }: MessageType, bytes: Uint8Array, budget: Budget): Readonly<Record<string, unknown>> {
  const reader = new BinaryReader(bytes);
  const lists = new Map<string, unknown[]>();
  const maps = new Map<string, Map<string, unknown>>();
  const result = new Map<string, unknown>();
  while (reader.pos < reader.len) {
    if (--budget.fields < 0) throw new StatusError("RequestEntityTooLarge", `Cannot read the request's body: it has more than ${fieldsMax} fields`);
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field === undefined) {
      reader.skip(wireType, number);
      continue;
    }
    if (wireType !== wireTypeOf(field)) throw new StatusError("BadRequest", `Cannot read the request's body as protobuf: the field ${field.name} has wire type ${wireType}`);
    if (field.holds === "map") {
      const { key = "", value = "" } = decode(mapEntry, reader.bytes(), budget) as { readonly key?: string; readonly value?: string };
      known(maps, field.name, () => new Map<string, unknown>()).set(key, value);
      continue;
    }
    const value = valueOf(reader, field, field.type, budget);
    if (field.holds === "list") known(lists, field.name, () => []).push(value);
    else if (value !== undefined && (field.holds === "optional" || !isZero(value))) result.set(field.name, value);
    else result.delete(field.name);
  }
  // Object.fromEntries makes fields of whatever name, so that one that is not allowed is found and refused later.
  for (const [name, entries] of maps) result.set(name, Object.fromEntries(entries));
  for (const [name, values] of lists) result.set(name, values);
  return Object.fromEntries(result);
}

const mapEntry: MessageType = {
  fields: new Map<number, Field>([[1, { number: 1, name: "key", type: "string", holds: "one" }], [2, { number: 2, name: "value", type: "string", holds: "one" }]]),
};
const timestampFields: MessageType = {
  fields: new Map<number, Field>([[1, { number: 1, name: "seconds", type: "int64", holds: "one" }], [2, { number: 2, name: "nanos", type: "int32", holds: "one" }]]),
};

function known<T>(all: Map<string, T>, name: string, make: () => T): T {
  let found = all.get(name);
  if (found === undefined) all.set(name, (found = make()));
  return found;
}

function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false;
}

function wireTypeOf({ type, holds }: Field): WireType {
  return holds !== "map" && (type === "bool" || type === "int32" || type === "int64") ? WireType.Varint : WireType.LengthDelimited;
}

/** Undefined: a time that is none. */
function valueOf(reader: BinaryReader, field: Field, type: FieldType, budget: Budget): unknown {
  switch (type) {
    case "string":
      return reader.string(true);
    case "bytes":
      return reader.bytes();
    case "bool":
      return reader.bool();
    case "int32":
      return reader.int32();
    case "int64":
      return safeInteger(reader.int64(), field);
    case "time":
    case "microTime":
      return timeOf(decode(timestampFields, reader.bytes(), budget), type === "microTime", field);
    case "fieldsV1":
      return JSON.parse((decode(rawFields, reader.bytes(), budget)["raw"] as string | undefined) ?? "{}");
    default:
      return decode(type, reader.bytes(), budget);
  }
}

/** FieldsV1 holds bytes, which are JSON and so text. */
const rawFields: MessageType = { fields: new Map<number, Field>([[1, { number: 1, name: "raw", type: "string", holds: "one" }]]) };

function safeInteger(value: bigint | string, { name }: Field): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new StatusError("BadRequest", `Cannot read the request's body as protobuf: ${name} is ${value}, which is out of range`);
  return number;
}

/** Go's zero time travels as an empty message, and JSON says nothing then. */
function timeOf({ seconds, nanos = 0 }: { readonly seconds?: unknown; readonly nanos?: unknown }, micro: boolean, { name }: Field): string | undefined {
  if (seconds === undefined && nanos === 0) return undefined;
  const date = new Date(Number(seconds ?? 0) * 1000);
  if (Number.isNaN(date.getTime()) || (nanos as number) < 0 || (nanos as number) >= 1e9) throw new StatusError("BadRequest", `Cannot read the request's body as protobuf: ${name} is no time`);
  const whole = date.toISOString().replace(/\.\d{3}Z$/, "");
  return micro ? `${whole}.${String(Math.trunc((nanos as number) / 1000)).padStart(6, "0")}Z` : `${whole}Z`;
}
