import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { adoptClientSide } from "../../src/api/apply/adopt-client-side.ts";
import { fieldSet, leafNode } from "../../src/api/apply/field-set.ts";
import { decodeFields, encodeFields } from "../../src/api/apply/fields-v1.ts";
import { capUpdateManagers, decodeManagers, encodeManagers, isReset, updateManagersMax, type Manager } from "../../src/api/apply/managers.ts";
import { fieldElement } from "../../src/api/apply/path-element.ts";

const apiVersion = "vendetta.dev/v1alpha1";
const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const manager = (name: string, second: number, more: Partial<Manager> = {}): Manager => ({ name, operation: "Update", apiVersion, subresource: "", time: at(second), fields: fieldSet([[fieldElement(name), leafNode]]), ...more });

describe("FieldsV1", () => {
  const wire = {
    "f:metadata": { "f:labels": { "f:app": {}, ".": {} }, "f:finalizers": { 'v:"a/b"': {} } },
    "f:spec": { "f:ports": { 'k:{"name":"web","port":80}': { "f:port": {}, ".": {} } }, "f:list": { "i:0": {} }, "f:port": {} },
  };
  it("is read and written", () => {
    assert.deepEqual(encodeFields(decodeFields(wire)!), wire);
    assert.equal(decodeFields({})!.size, 0);
  });
  it("has its steps in Kubernetes' order, with the field itself last", () => {
    const written = encodeFields(decodeFields({ 'v:"x"': {}, "f:b": { ".": {}, "f:c": {} }, "f:a": {} })!);
    assert.deepEqual(Object.keys(written), ["f:a", "f:b", 'v:"x"']);
    assert.deepEqual(Object.keys(written["f:b"]!), ["f:c", "."]);
  });
  it("knows a key however it is written", () => {
    assert.deepEqual(encodeFields(decodeFields({ 'k:{ "port": 80, "name": "web" }': {} })!), { 'k:{"name":"web","port":80}': {} });
  });
  it("leaves out steps of a kind it does not know", () => {
    assert.deepEqual(encodeFields(decodeFields({ "z:x": {}, "f:a": {} })!), { "f:a": {} });
  });
  it("is refused when it is none", () => {
    const deep = (levels: number): object => (levels === 0 ? {} : { "f:a": deep(levels - 1) });
    for (const wrong of [null, [], "x", { "f:a": 1 }, { "k:{": {} }, { "k:[1]": {} }, { "v:": {} }, { "i:-1": {} }, deep(200)]) assert.equal(decodeFields(wrong), undefined, JSON.stringify(wrong).slice(0, 80));
    assert.ok(decodeFields(deep(100)));
  });
});

describe("managedFields", () => {
  const entry = { manager: "a", operation: "Apply", apiVersion, time: at(0), fieldsType: "FieldsV1", fieldsV1: { "f:spec": { "f:port": {} } } } as const;

  it("is read and written as metav1.ManagedFieldsEntry", () => {
    const status = { ...entry, operation: "Update", subresource: "status" } as const;
    assert.deepEqual(encodeManagers(decodeManagers([status, entry], apiVersion)!), [entry, status]);
  });
  it("is in Kubernetes' order: appliers first, then by time and name", () => {
    const managers = [manager("b", 1), manager("a", 2), manager("c", 1), manager("z", 9, { operation: "Apply" }), manager("b", 1, { subresource: "status" })];
    assert.deepEqual(encodeManagers(managers).map(({ manager: name, subresource }) => `${name}${subresource ?? ""}`), ["z", "b", "bstatus", "c", "a"]);
  });
  it("of another version of the API is nobody's", () => {
    assert.deepEqual(decodeManagers([{ ...entry, apiVersion: "vendetta.dev/v1" }], apiVersion), []);
  });
  it("that cannot be read counts as not sent", () => {
    for (const wrong of [{ ...entry, operation: "Steal" }, { ...entry, fieldsType: "FieldsV2" }, { ...entry, apiVersion: "" }, { ...entry, manager: 1 }, { ...entry, time: "yesterday" }, { ...entry, fieldsV1: [] }, {}]) assert.equal(decodeManagers([entry, wrong], apiVersion), undefined, JSON.stringify(wrong));
  });
  it("is reset by an empty list, or by one empty entry", () => {
    assert.deepEqual([[], [{}], [{}, {}], [entry]].map(isReset), [true, true, false, false]);
  });
  it("keeps the newest updaters apart, and the others as one", () => {
    const few = Array.from({ length: updateManagersMax }, (_, i) => manager(`u${i}`, i));
    assert.deepEqual(capUpdateManagers([...few, manager("applier", 0, { operation: "Apply" })]).length, updateManagersMax + 1);
    const capped = encodeManagers(capUpdateManagers([...few, manager("u10", 10), manager("u11", 11), manager("applier", 0, { operation: "Apply" })]));
    assert.deepEqual(capped.map(({ manager: name }) => name), ["applier", "ancient-changes", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"]);
    assert.deepEqual([capped[1]!.time, capped[1]!.fieldsV1], [at(2), { "f:u0": {}, "f:u1": {}, "f:u2": {} }]);
    const again = encodeManagers(capUpdateManagers([...decodeManagers(capped, apiVersion)!, manager("u12", 12)]));
    assert.deepEqual([again.length, again[1]!.manager, again[1]!.fieldsV1], [11, "ancient-changes", { "f:u0": {}, "f:u1": {}, "f:u2": {}, "f:u3": {} }]);
  });
});

describe("taking over from client-side apply", () => {
  const note = { "f:metadata": { "f:annotations": { ".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {} }, "f:labels": { "f:app": {} } } };
  const clientSide = { manager: "whoever", operation: "Update", apiVersion, time: at(1), fieldsType: "FieldsV1", fieldsV1: { ...note, "f:spec": { "f:port": {} } } };
  const own = { manager: "kubectl", operation: "Apply", apiVersion, time: at(2), fieldsType: "FieldsV1", fieldsV1: { "f:spec": { "f:workspace": {} } } };
  const other = { ...own, manager: "other" };

  it("gives its fields, but for the note, to who applies", () => {
    assert.deepEqual(adoptClientSide([own, other, clientSide], "kubectl", apiVersion), [
      { ...own, fieldsV1: { "f:metadata": { "f:annotations": {}, "f:labels": { "f:app": {} } }, "f:spec": { "f:port": {}, "f:workspace": {} } } },
      other,
    ]);
    assert.deepEqual(adoptClientSide([clientSide], "new", apiVersion)!.map(({ manager: name, operation, time }) => [name, operation, time]), [["new", "Apply", at(1)]]);
  });
  it("is nothing where no update has written the note", () => {
    assert.equal(adoptClientSide([own, other, { ...clientSide, fieldsV1: { "f:spec": {} } }, { ...clientSide, operation: "Apply" }], "kubectl", apiVersion), undefined);
    assert.equal(adoptClientSide([], "kubectl", apiVersion), undefined);
  });
});
