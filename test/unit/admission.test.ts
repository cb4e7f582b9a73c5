import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admit, findCycle, type AdmissionReader } from "../../src/api/admission.ts";
import type { AnyObject, KindMap, KindName } from "../../src/api/registry.ts";
import { isInvalid, StatusError } from "../../src/api/status-error.ts";
import type { Service } from "../../src/api/service.ts";
import { parseObject } from "../../src/api/validate.ts";

const meta = (name: string, more: object = {}) => ({ name, uid: `uid-${name}`, resourceVersion: "1", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", ...more });

function service(name: string, spec: object = {}, more: object = {}): Service {
  const { body } = parseObject("Service", { metadata: { name }, spec: { workspace: "dev", command: ["x"], ...spec } });
  return { ...body, metadata: meta(name, { namespace: "default", ...more }) };
}

const needs = (...names: string[]) => ({ dependsOn: names.map((name) => ({ name })) });
const going = { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["vendetta.dev/x"] };

function reader(services: readonly Service[], namespaceMeta: object | undefined = {}): AdmissionReader {
  const room = namespaceMeta && { apiVersion: "v1", kind: "Namespace", metadata: meta("default", namespaceMeta), spec: {} };
  return {
    get: <K extends KindName>(kind: K, namespace: string | undefined, name: string) =>
      (kind === "Namespace" ? room : services.find((each) => each.kind === kind && each.metadata.name === name && each.metadata.namespace === namespace)) as KindMap[K] | undefined,
    servicesIn: (namespace, workspace) => services.filter((each) => each.metadata.namespace === namespace && each.spec.workspace === workspace),
  };
}

/** What is said against a Service among these; undefined: nothing. */
function said(object: Service, others: readonly Service[], old?: AnyObject): string | undefined {
  try {
    admit("Service", object, old, reader(others));
    return undefined;
  } catch (error) {
    assert.ok(isInvalid(error), String(error));
    return error.details.causes?.map(({ field, message }) => `${field}: ${message}`).join("; ");
  }
}

describe("dependency cycles", () => {
  const table: readonly (readonly [what: string, object: Service, others: readonly Service[], said: string | undefined])[] = [
    ["none", service("a", needs("b")), [service("b", needs("c")), service("c")], undefined],
    ["a diamond is none", service("a", needs("b", "c")), [service("b", needs("d")), service("c", needs("d")), service("d")], undefined],
    ["what is not there yet is none", service("a", needs("later")), [], undefined],
    ["of two", service("a", needs("b")), [service("b", needs("a"))], "spec.dependsOn[0].name: dependency cycle: a → b → a"],
    ["of three, at the second entry", service("a", needs("x", "b")), [service("x"), service("b", needs("c")), service("c", needs("a"))], "spec.dependsOn[1].name: dependency cycle: a → b → c → a"],
    ["a cycle of others is not this one's", service("a", needs("b")), [service("b", needs("c")), service("c", needs("b"))], undefined],
    ["an older state of itself does not count", service("a"), [service("a", needs("b")), service("b", needs("a"))], undefined],
    ["one that is being deleted does not count", service("a", needs("b")), [service("b", needs("a"), going)], undefined],
    ["one that is being deleted is not checked", service("a", needs("b"), going), [service("b", needs("a"))], undefined],
  ];
  for (const [what, object, others, expected] of table) test(what, () => assert.equal(said(object, others), expected));

  test("a long chain is no recursion", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => [`n${i}`, [`n${(i + 1) % 20_000}`]] as const);
    const edges = new Map<string, readonly string[]>(chain);
    assert.equal(findCycle("n0", (name) => edges.get(name) ?? [])?.length, 20_001);
  });
});

describe("port conflicts", () => {
  const table: readonly (readonly [what: string, object: Service, others: readonly Service[], said: string | undefined])[] = [
    ["none", service("a", { port: 1 }), [service("b", { port: 2 })], undefined],
    ["in another workspace", service("a", { port: 1 }), [service("b", { port: 1, workspace: "other" })], undefined],
    ["in another namespace", service("a", { port: 1 }), [service("b", { port: 1 }, { namespace: "other" })], undefined],
    ["port", service("a", { port: 1 }), [service("b", { port: 1 })], 'spec.port: 1 is already used by Service "b" in Workspace "dev"'],
    ["ports", service("a", { ports: [{ name: "x", port: 1 }, { name: "y", port: 2 }] }), [service("b", { port: 2 })], 'spec.ports[1].port: 2 is already used by Service "b" in Workspace "dev"'],
    ["an older state of itself does not count", service("a", { port: 1 }), [service("a", { port: 1 })], undefined],
    ["one that is being deleted does not count", service("a", { port: 1 }), [service("b", { port: 1 }, going)], undefined],
  ];
  for (const [what, object, others, expected] of table) test(what, () => assert.equal(said(object, others), expected));

  test("a write that leaves the spec alone is not held up by what was broken before", () => {
    const object = service("a", { port: 1 });
    assert.equal(said({ ...object, status: { phase: "Running" } }, [service("b", { port: 1 })], object), undefined);
  });
});

describe("namespaces", () => {
  const refusal = (kind: KindName, namespaceMeta: object | undefined) => {
    const object = kind === "Event" ? ({ apiVersion: "v1", kind, metadata: meta("e", { namespace: "default" }), involvedObject: {} } as AnyObject) : service("a");
    try {
      admit(kind, object, undefined, { ...reader([]), get: <K extends KindName>() => namespaceMeta && ({ metadata: meta("default", namespaceMeta) } as unknown as KindMap[K]) });
      return undefined;
    } catch (error) {
      return error instanceof StatusError ? [error.reason, error.message] : Promise.reject(error);
    }
  };
  test("must be there", () => assert.deepEqual(refusal("Service", undefined), ["NotFound", 'namespaces "default" not found']));
  test("must stay, but for Events", () => {
    assert.deepEqual(refusal("Service", going), ["Forbidden", 'services.vendetta.dev "a" is forbidden: unable to create new content in namespace default because it is being terminated']);
    assert.equal(refusal("Event", going), undefined);
  });
});
