/** What a field of a message holds, and how JSON writes it. */
export type FieldType =
  | "string"
  | "bool"
  | "int32"
  /** A number in JSON; one that does not fit is refused. */
  | "int64"
  /** metav1.Time: RFC 3339 in whole seconds. */
  | "time"
  /** metav1.MicroTime: RFC 3339 with microseconds. */
  | "microTime"
  /** A Uint8Array, which JSON has not. */
  | "bytes"
  /** metav1.FieldsV1: JSON within the message. */
  | "fieldsV1"
  | MessageType;

export interface Field {
  readonly number: number;
  /** In JSON. */
  readonly name: string;
  readonly type: FieldType;
  /** `list`: repeated. `map`: with text for keys. `optional`: a pointer in Go, so that 0, false and "" say something; of others they say nothing and are left out. */
  readonly holds: "one" | "optional" | "list" | "map";
}

/** A message as Kubernetes' generated.proto declares it; fields that are not named are skipped. */
export interface MessageType {
  readonly fields: ReadonlyMap<number, Field>;
}

/** Fields in the order of their numbers. */
export function messageType(...fields: readonly Field[]): MessageType {
  return { fields: new Map(fields.map((field) => [field.number, field])) };
}

export const one = (number: number, name: string, type: FieldType = "string"): Field => ({ number, name, type, holds: "one" });
export const optional = (number: number, name: string, type: FieldType = "string"): Field => ({ number, name, type, holds: "optional" });
export const list = (number: number, name: string, type: FieldType = "string"): Field => ({ number, name, type, holds: "list" });
export const map = (number: number, name: string): Field => ({ number, name, type: "string", holds: "map" });
