import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { StatusError } from "../../src/api/status-error.ts";
import { decodeKubernetesProtobuf, encodeKubernetesProtobuf } from "../../src/server/protobuf/kubernetes-protobuf.ts";
import { check } from "./check.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
const time = fc.integer({ min: -1_000_000_000, max: 4_000_000_000 }).map((seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z")).filter((each) => each !== "1970-01-01T00:00:00Z");
const microTime = fc.tuple(time, fc.integer({ min: 0, max: 999_999 })).map(([at, micros]) => at.replace("Z", `.${String(micros).padStart(6, "0")}Z`));
const optionally = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(shape, { requiredKeys: [], noNullPrototype: true });
const strings = fc.array(text, { minLength: 1, maxLength: 3 });
const count = fc.integer({ min: 1, max: 2 ** 31 - 1 });

const metadata = optionally<object>({
  name: text, namespace: text, uid: text, resourceVersion: text, generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), creationTimestamp: time, deletionGracePeriodSeconds: fc.maxSafeInteger(),
  labels: fc.dictionary(text, fc.string({ maxLength: 5 }), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
  ownerReferences: fc.array(optionally<object>({ kind: text, name: text, uid: text, apiVersion: text, controller: fc.boolean() }), { minLength: 1, maxLength: 2 }), finalizers: strings,
  managedFields: fc.array(optionally<object>({ manager: text, operation: text, time, fieldsV1: fc.constantFrom<object>({}, { "f:spec": { "f:image": {} } }) }), { minLength: 1, maxLength: 2 }),
});
const reference = optionally<object>({ kind: text, name: text, namespace: text, uid: text, fieldPath: text });
const object: fc.Arbitrary<object> = fc.oneof(
  fc.record({ apiVersion: fc.constant("v1"), kind: fc.constant("Namespace"), metadata, spec: optionally<object>({ finalizers: strings }) }, { noNullPrototype: true }),
  fc.record({ apiVersion: fc.constant("v1"), kind: fc.constant("Event"), metadata, involvedObject: reference, message: text, count, firstTimestamp: time, eventTime: microTime, series: optionally<object>({ count, lastObservedTime: microTime }) }, { noNullPrototype: true }),
  fc.record({ apiVersion: fc.constant("coordination.k8s.io/v1"), kind: fc.constant("Lease"), metadata, spec: optionally<object>({ holderIdentity: fc.string({ maxLength: 4 }), leaseDurationSeconds: fc.integer({ min: -5, max: 100 }), renewTime: microTime }) }, { noNullPrototype: true }),
  fc.record({ apiVersion: fc.constant("v1"), kind: fc.constant("DeleteOptions"), gracePeriodSeconds: fc.maxSafeInteger(), orphanDependents: fc.boolean(), dryRun: strings }, { noNullPrototype: true }),
);

test("what is written is read again as it was", () => {
  check(fc.property(object, (value) => {
    assert.deepEqual(decodeKubernetesProtobuf(encodeKubernetesProtobuf(value as never)!), value);
  }));
});

/** Whatever the bytes: an object of plain values, or a StatusError. */
function survives(bytes: Uint8Array): void {
  try {
    JSON.stringify(decodeKubernetesProtobuf(bytes));
  } catch (error) {
    assert.ok(error instanceof StatusError, String((error as Error).stack));
    assert.ok(["BadRequest", "RequestEntityTooLarge"].includes(error.reason), error.reason);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
}

test("bytes of any kind are read, or refused with a StatusError", () => {
  const head = Buffer.from("6b3873000a0f0a02763112094e616d657370616365", "hex");
  check(fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
    survives(tail);
    survives(Buffer.concat([Buffer.from("k8s\0"), tail]));
    survives(Buffer.concat([head, Buffer.of(0x12, tail.length), tail]));
  }), 2000);
});

test("messages with bytes changed, cut off or doubled are read, or refused with a StatusError", () => {
  const edit = fc.record({ at: fc.nat(400), byte: fc.nat(255), how: fc.constantFrom("set", "cut", "double", "drop") });
  check(fc.property(object, fc.array(edit, { minLength: 1, maxLength: 4 }), (value, edits) => {
    let bytes = Buffer.from(encodeKubernetesProtobuf(value as never)!);
    for (const { at, byte, how } of edits) {
      const place = bytes.length === 0 ? 0 : at % bytes.length;
      if (how === "set") bytes[place] = byte;
      else bytes = Buffer.concat(how === "cut" ? [bytes.subarray(0, place)] : how === "drop" ? [bytes.subarray(0, place), bytes.subarray(place + 1)] : [bytes.subarray(0, place), bytes.subarray(place)].flatMap((part) => [part, part]));
    }
    survives(bytes);
  }), 1000);
});
