import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StatusError } from "../../src/api/status-error.ts";
import { objectBytesMax, parseObject, parseStatus } from "../../src/api/validate.ts";
import type { KindName } from "../../src/api/registry.ts";

const base = {
  Workspace: { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev", namespace: "default" }, spec: { provider: "docker", image: "node:20" } },
  Service: { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", namespace: "default" }, spec: { workspace: "dev", command: ["run"] } },
  Node: { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n1" }, spec: { local: {} } },
  Event: { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "default" }, involvedObject: {} },
  Namespace: { apiVersion: "v1", kind: "Namespace", metadata: { name: "room" } },
  Source: { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name: "src" }, spec: { directory: { path: "/srv/manifests" } } },
  Lease: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", namespace: "default" }, spec: {} },
} as const satisfies Record<Exclude<KindName, "Pod">, object>;

/** The manifest with the field at a dotted path set, or taken away. */
function having(kind: keyof typeof base, path: string, value: unknown): unknown {
  const object = structuredClone(base[kind]) as Record<string, unknown>;
  const parts = path.split(".");
  const last = parts.pop()!;
  let at = object;
  for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return object;
}

/** kind, field set, to what, and then each thing that is said: field path, message. */
const table: readonly (readonly [kind: keyof typeof base, field: string, value: unknown, ...said: (readonly [field: string, message: string])[]])[] = [
  ["Workspace", "metadata.name", "Dev_1", ["metadata.name", `"Dev_1" must consist of lower case letters, digits or '-', and start and end with a letter or digit`]],
  ["Workspace", "metadata.name", undefined, ["metadata.name", "is required: name or generateName"]],
  ["Workspace", "metadata.name", "", ["metadata.name", "is required: name or generateName"]],
  ["Workspace", "metadata.name", 5, ["metadata.name", 'must be a string; found 5; put it in quotes: "5"']],
  ["Workspace", "metadata.nmae", "x", ["metadata.nmae", 'unknown field; did you mean "name"?']],
  ["Workspace", "metadata", [], ["metadata", "must be a map; found a list"]],
  ["Workspace", "metadata.labels", { a: true }, ["metadata.labels.a", 'must be a string; found true; put it in quotes: "true"']],
  ["Workspace", "metadata.labels", { "example.com/a": "b c" }, ['metadata.labels["example.com/a"]', `"b c" must be empty, or letters, digits, '-', '_' and '.', with a letter or digit at both ends`]],
  ["Workspace", "metadata.labels", { "-bad": "x" }, ["metadata.labels.-bad", `the key "-bad" must be a label key such as 'app' or 'example.com/app'`]],
  ["Lease", "spec.leaseDurationSeconds", 0, ["spec.leaseDurationSeconds", "0 must be greater than 0"]],
  ["Lease", "spec.renewTime", "yesterday", ["spec.renewTime", '"yesterday" must be an RFC 3339 time such as 2026-01-31T12:00:00.000000Z']],
  ["Workspace", "spec", undefined, ["spec.provider", "is required: one of docker, lxc, qemu, host"]],
  ["Workspace", "spec", "x", ["spec", 'must be a map; found "x"']],
  ["Workspace", "spec.provider", "dokcer", ["spec.provider", 'must be one of docker, lxc, qemu, host; found "dokcer"; did you mean "docker"?']],
  ["Workspace", "spec.provider", "podman", ["spec.provider", 'must be one of docker, lxc, qemu, host; found "podman"']],
  ["Workspace", "spec.image", undefined, ["spec.image", "is required for provider docker"]],
  ["Workspace", "spec.image", "bad image", ["spec.image", '"bad image" must be an image reference such as node:20 or registry.example/team/app:1.2']],
  ["Workspace", "spec.imge", "x", ["spec.imge", 'unknown field; did you mean "image"?']],
  ["Workspace", "spec.zzz", "x", ["spec.zzz", "unknown field"]],
  ["Workspace", "image", "x", ["image", 'unknown field; did you mean "spec.image"?']],
  ["Workspace", "spce", {}, ["spce", 'unknown field; did you mean "spec"?']],
  ["Workspace", "spec.state", "running", ["spec.state", 'must be one of Running, Stopped; found "running"; did you mean "Running"?']],
  ["Workspace", "spec.env", ["A=1"], ["spec.env", "must be a map; found a list"]],
  ["Workspace", "spec.env", { A: 1 }, ["spec.env.A", 'must be a string; found 1; put it in quotes: "1"']],
  ["Workspace", "spec.env", { "1A": "x" }, ["spec.env.1A", `the key "1A" must be a name of letters, digits and '_', not starting with a digit`]],
  ["Workspace", "spec.mounts", [{ path: "rel", volume: "v" }], ["spec.mounts[0].path", '"rel" must be an absolute path']],
  ["Workspace", "spec.mounts", [{ path: "/a/../b", volume: "v" }], ["spec.mounts[0].path", `"/a/../b" must not contain '..'`]],
  ["Workspace", "spec.mounts", [{ path: "/a" }], ["spec.mounts[0]", "must name exactly one of hostPath, volume and tmpfs"]],
  ["Workspace", "spec.ports", [{ port: 0 }], ["spec.ports[0].port", "0 must be between 1 and 65535"]],
  ["Workspace", "spec.ports", [{ port: "80" }], ["spec.ports[0].port", 'must be a number; found "80"; take the quotes away']],
  ["Workspace", "spec.ports", [{ port: 80.5 }], ["spec.ports[0].port", "must be a whole number; found 80.5"]],
  ["Workspace", "spec.ports", [80], ["spec.ports[0]", "must be a map; found 80"]],
  ["Workspace", "spec.ports", [{ port: 1 }, { port: 1 }], ["spec.ports[1].port", "is named twice: 1"]],
  ["Workspace", "spec.resources", { memory: "lots" }, ["spec.resources.memory", '"lots" must be a quantity greater than zero, such as 512Mi, 2Gi, 0.5 or 250m']],
  ["Workspace", "spec.resources", { memory: true }, ["spec.resources.memory", "must be a string or a number; found true"]],
  ["Workspace", "spec.resources", { mem: "1Gi" }, ["spec.resources.mem", 'unknown field; did you mean "memory"?']],
  ["Workspace", "spec.terminationGracePeriodSeconds", -1, ["spec.terminationGracePeriodSeconds", "must be at least 0; found -1"]],
  ["Workspace", "spec.terminationGracePeriodSeconds", "10s", ["spec.terminationGracePeriodSeconds", 'must be a number; found "10s"']],
  ["Workspace", "spec.docker", { privleged: true }, ["spec.docker.privleged", 'unknown field; did you mean "privileged"?']],
  ["Workspace", "spec.docker", { command: [] }, ["spec.docker.command", "must have at least 1 entry; it has 0"]],
  ["Workspace", "spec.workingDir", `/${"x".repeat(5000)}`, ["spec.workingDir", "must have at most 4096 characters; it has 5001"]],
  ["Workspace", "spec", { provider: "host", nodeName: "box", failover: {} }, ["spec.failover", 'cannot be together with spec.nodeName: this Workspace is to be on Node "box" and nowhere else; leave one of the two out, or say with nodeSelector where it may be']],
  ["Workspace", "spec.failover", { afterSeconds: 0 }, ["spec.failover.afterSeconds", "must be at least 1; found 0"]],
  ["Workspace", "status", { phase: "Runing" }, ["status.phase", 'must be one of Pending, Creating, Starting, Running, Stopping, Stopped, Recreating, Restoring, Moving, Deleting, CrashLoopBackOff, Failed, Unknown; found "Runing"; did you mean "Running"?']],
  ["Service", "spec.command", "npm start", ["spec.command", 'must be a list; found "npm start"']],
  ["Service", "spec.command", [], ["spec.command", "must name at least the program"]],
  ["Service", "spec.workspace", undefined, ["spec.workspace", "is required"]],
  ["Service", "spec", { workspace: "dev", comand: ["run"] }, ["spec.comand", 'unknown field; did you mean "command"?'], ["spec.command", "is required"]],
  ["Service", "spec.ports", [{ name: "http", port: 80, nodePort: 20080, prt: 1 }], ["spec.ports[0].nodePort", "unknown field; ports of the Node belong to the Workspace: spec.ports there, such as [{port: 8080, nodePort: 20080}]"], ["spec.ports[0].prt", 'unknown field; did you mean "port"?']],
  ["Service", "spec.nodePort", 20080, ["spec.nodePort", "unknown field; ports of the Node belong to the Workspace: spec.ports there, such as [{port: 8080, nodePort: 20080}]"]],
  ["Service", "spec.dependsOn", ["db"], ["spec.dependsOn[0]", 'must be a map; found "db"']],
  ["Service", "spec.dependsOn", [{ name: "web" }], ["spec.dependsOn[0].name", "dependency cycle: web → web"]],
  ["Service", "spec.healthCheck", {}, ["spec.healthCheck", "must name exactly one of http, tcp and exec"]],
  ["Service", "spec.healthCheck", { interval: 5, tcp: { port: 1 } }, ["spec.healthCheck.interval", 'unknown field; did you mean "intervalSeconds"?']],
  ["Service", "spec.healthCheck", { http: {} }, ["spec.healthCheck.http.port", "is required when the Service names no port"]],
  ["Service", "spec.port", 70000, ["spec.port", "70000 must be between 1 and 65535"]],
  ["Service", "spec.env", { A: "a\0b" }, ["spec.env.A", "must not contain a NUL byte"]],
  ["Node", "spec.nodePorts", { from: 5 }, ["spec.nodePorts.from", "must be at least 1024; found 5"]],
  ["Node", "spec.taints", [{ key: "a" }], ["spec.taints[0].effect", "is required: one of NoSchedule, NoExecute"]],
  ["Node", "spec.unschedulable", "yes", ["spec.unschedulable", 'must be true or false; found "yes"']],
  ["Node", "metadata.namespace", "default", ["metadata.namespace", "must be empty: a Node belongs to no namespace"]],
  ["Event", "reson", "x", ["reson", 'unknown field; did you mean "reason"?']],
  ["Event", "spec", {}, ["spec", "unknown field"]],
  ["Event", "involvedObject", undefined, ["involvedObject", "is required"]],
  ["Namespace", "data", {}, ["data", "unknown field"]],
];

function refusal(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String((error as Error).stack));
    return error;
  }
  return assert.fail("it was accepted");
}

describe("what is said of a bad manifest", () => {
  for (const [kind, field, value, ...said] of table) {
    test(`${kind} with ${field} ${value === undefined ? "absent" : JSON.stringify(value).slice(0, 60)}`, () => {
      const error = refusal(() => parseObject(kind, having(kind, field, value)));
      assert.equal(error.reason, "Invalid");
      assert.deepEqual(error.details.causes?.map((cause) => [cause.field, cause.message]), said);
      for (const [path, message] of said) assert.ok(error.message.includes(`${path}: ${message}`));
    });
  }

  test("everything wrong is said at once", () => {
    const { message } = refusal(() => parseObject("Workspace", { ...base.Workspace, metadata: { name: "X" }, spec: { provider: "x", bogus: 1 }, stray: 1 }));
    for (const words of ["stray: unknown field", "spec.provider: must be one of", "spec.bogus: unknown field", 'metadata.name: "X" must']) assert.ok(message.includes(words), message);
  });

  test("what nobody knows comes first, wherever it is: it may be why something is missed", () => {
    const { details } = refusal(() => parseObject("Service", { ...base.Service, metadata: { name: "X" }, spec: { workspace: "dev", comand: ["run"], port: 0 }, stray: 1 }));
    assert.deepEqual(details.causes?.map(({ field }) => field), ["stray", "spec.comand", "spec.command", "spec.port", "metadata.name"]);
  });

  test("what is no object of the kind at all", () => {
    const said = (raw: unknown) => {
      const { reason, message } = refusal(() => parseObject("Workspace", raw));
      return [reason, message];
    };
    assert.deepEqual(said(null), ["BadRequest", "Cannot read a Workspace: expected an object, found null"]);
    assert.deepEqual(said([1]), ["BadRequest", "Cannot read a Workspace: expected an object, found a list"]);
    assert.deepEqual(said("x"), ["BadRequest", "Cannot read a Workspace: expected an object, found a string"]);
    assert.deepEqual(said(base.Service), ["BadRequest", 'Cannot read Workspace "web": its kind is "Service"; expected "Workspace"']);
    assert.deepEqual(said({ ...base.Workspace, apiVersion: "v1" }), ["BadRequest", 'Cannot read Workspace "dev": its apiVersion is "v1"; expected "vendetta.dev/v1alpha1"']);
  });

  test("a value that is long or has control characters is not repeated", () => {
    const { message } = refusal(() => parseObject("Workspace", having("Workspace", "spec.image", `\u001b[31m${"x".repeat(200)}`)));
    assert.ok(!message.includes("\u001b") && !message.includes("xxx"), message);
  });

  test("__proto__, constructor and prototype are refused, and bottomless nesting", () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const error = refusal(() => parseObject("Workspace", JSON.parse(`{"spec":{"env":{"${key}":"x"}}}`)));
      assert.deepEqual([error.reason, error.message], ["BadRequest", `Cannot read the object: the field name "spec.env.${key}" is not allowed`]);
    }
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = { a: deep };
    assert.equal(refusal(() => parseObject("Workspace", { spec: deep })).reason, "BadRequest");
  });
});

describe("what cannot be changed", () => {
  const old = <K extends "Workspace" | "Service">(kind: K) => ({ ...parseObject(kind, base[kind]).body, metadata: { ...base[kind].metadata } }) as never;
  test("the Workspace of a Service", () => {
    const { message } = refusal(() => parseObject("Service", having("Service", "spec.workspace", "other"), old("Service")));
    assert.match(message, /spec\.workspace: cannot be changed from "dev" to "other": Service "web" of this namespace runs in Workspace "dev"; use another name or namespace, or delete it first/);
  });
  test("the provider of a Workspace", () => {
    assert.match(refusal(() => parseObject("Workspace", having("Workspace", "spec.provider", "lxc"), old("Workspace"))).message, /spec\.provider: cannot be changed/);
  });
});

describe("what is accepted", () => {
  test("defaults are filled in; nothing of the input is changed", () => {
    const given = structuredClone(base.Workspace);
    const { body, metadata } = parseObject("Workspace", given);
    assert.deepEqual(given, base.Workspace);
    assert.deepEqual(metadata, given.metadata);
    assert.deepEqual([body.spec.state, body.spec.imagePullPolicy, body.spec.terminationGracePeriodSeconds], ["Running", "IfNotPresent", 10]);
    assert.deepEqual(parseObject("Node", base.Node).body.spec.nodePorts, { from: 20000, to: 24999 });
  });

  test("what a server wrote can be read back: nulls of older clients and all", () => {
    const { metadata } = parseObject("Namespace", { ...base.Namespace, metadata: { name: "room", uid: "u", resourceVersion: "5", generation: 1, creationTimestamp: null, selfLink: "" }, status: { phase: "Active" } });
    assert.equal(metadata.creationTimestamp, undefined);
  });

  test("a status is checked alone: the rest of the object may be what older rules allowed", () => {
    const { status } = parseStatus("Workspace", { ...base.Workspace, spec: { bogus: 1 }, status: { phase: "Running" } });
    assert.deepEqual(status, { phase: "Running" });
    assert.equal(refusal(() => parseStatus("Event", base.Event)).reason, "MethodNotAllowed");
    assert.ok(objectBytesMax > 1_000_000);
  });
});
