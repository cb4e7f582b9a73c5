import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StatusError } from "../../src/api/status-error.ts";
import { decodeKubernetesProtobuf, encodeKubernetesProtobuf, protobufType } from "../../src/server/protobuf/kubernetes-protobuf.ts";
import { room, testApp, workspace } from "./server-harness.ts";

/** What kubectl 1.32.4 sent, byte for byte. */
const recorded = {
  namespace: "6b3873000a0f0a02763112094e616d65737061636512190a110a017812001a0022002a0032003800420012001a020a001a002200",
  accessReview: "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a65637441636365737352657669657712510a100a0012001a0022002a0032003800420012330a310a0764656661756c7412066372656174651a0c76656e64657474612e64657622002a0a776f726b73706163657332003a001a08080012001a0020001a002200",
  subjectReview: "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a100a0012001a0022002a0032003800420012060a040a0012001a002200",
} as const;
const bytesOf = (name: keyof typeof recorded) => Buffer.from(recorded[name], "hex");

describe("Kubernetes' protobuf", () => {
  it("is read as kubectl writes it", () => {
    assert.deepEqual(decodeKubernetesProtobuf(bytesOf("namespace")), { apiVersion: "v1", kind: "Namespace", metadata: { name: "x" }, spec: {}, status: {} });
    const { spec } = decodeKubernetesProtobuf(bytesOf("accessReview")) as { spec: unknown };
    assert.deepEqual(spec, { resourceAttributes: { namespace: "default", verb: "create", group: "vendetta.dev", resource: "workspaces" } });
  });
  it("says 0 and false where they mean something, and leaves them out where they do not", () => {
    const options = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0, orphanDependents: false, preconditions: { uid: "u" }, dryRun: ["All"] };
    assert.deepEqual(decodeKubernetesProtobuf(encodeKubernetesProtobuf(options)!), options);
    const event = { apiVersion: "v1", kind: "Event", metadata: { name: "e" }, involvedObject: {}, count: 0, reason: "" };
    assert.deepEqual(decodeKubernetesProtobuf(encodeKubernetesProtobuf(event)!), { apiVersion: "v1", kind: "Event", metadata: { name: "e" }, involvedObject: {} });
  });
  it("keeps times: whole seconds, microseconds, before 1970, and none", () => {
    const spec = { acquireTime: "2026-01-31T12:00:00.000001Z", renewTime: "1969-12-31T23:59:59.500000Z" };
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { creationTimestamp: "2026-01-31T12:00:00Z" }, spec };
    assert.deepEqual(decodeKubernetesProtobuf(encodeKubernetesProtobuf(lease)!), lease);
    assert.deepEqual(decodeKubernetesProtobuf(encodeKubernetesProtobuf({ ...lease, metadata: { creationTimestamp: null } } as never)!), { ...lease, metadata: {} });
  });
  it("that cannot be read is a BadRequest", () => {
    const refused = (hex: string, words: RegExp) => assert.throws(() => decodeKubernetesProtobuf(Buffer.from(hex, "hex")), (error) => error instanceof StatusError && error.reason === "BadRequest" && words.test(error.message));
    refused("", /does not begin/);
    refused("6b387301", /does not begin/);
    refused("6b387300", /no kind ""/);
    refused("6b3873000a0b0a0276311205506f6473730a", /registered for version|EOF/);
    refused(recorded.namespace.slice(0, 60), /EOF/);
    refused(recorded.namespace.replace(/1a002200$/, "1a04677a6970"), /encoded once more/);
    // A name that is a number.
    refused("6b3873000a0f0a02763112094e616d65737061636512040a020801", /the field name has wire type 0/);
  });
  it("of very many fields is too large", () => {
    const finalizers = Array.from({ length: 100_001 }, () => "");
    const bytes = encodeKubernetesProtobuf({ apiVersion: "v1", kind: "Namespace", spec: { finalizers } } as never)!;
    assert.ok(bytes.byteLength < 300_000);
    assert.throws(() => decodeKubernetesProtobuf(bytes), (error) => error instanceof StatusError && error.reason === "RequestEntityTooLarge");
  });
});

describe("over HTTP, protobuf", () => {
  const post = (app: ReturnType<typeof testApp>["app"], path: string, body: Uint8Array, accept: string, method = "POST") =>
    app(new Request(`http://localhost${path}`, { method, body: Buffer.from(body), headers: { "content-type": protobufType, accept } }));

  it("makes a Namespace, labels and annotations included, and is answered in kind to who asks for it first", async () => {
    const { app, store } = testApp();
    const answer = await post(app, "/api/v1/namespaces", bytesOf("namespace"), `${protobufType},application/json`);
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [201, protobufType]);
    const object = decodeKubernetesProtobuf(new Uint8Array(await answer.arrayBuffer())) as any;
    assert.deepEqual([object.kind, object.metadata.name, object.metadata.uid], ["Namespace", "x", (await store.get("Namespace", { name: "x" })).metadata.uid]);
    const more = encodeKubernetesProtobuf({ apiVersion: "v1", kind: "Namespace", metadata: { name: "y", labels: { a: "1", b: "" }, annotations: { n: "ü" } } } as never)!;
    const json = await post(app, "/api/v1/namespaces", more, `application/json,${protobufType}`);
    assert.equal(json.headers.get("content-type"), "application/json");
    assert.deepEqual(((await json.json()) as any).metadata.labels, { a: "1", b: "" });
    assert.deepEqual((await store.get("Namespace", { name: "y" })).metadata.annotations, { n: "ü" });
  });
  it("carries Events, Leases and DeleteOptions, also for our own kinds", async () => {
    const { app, store, send } = testApp();
    const made = [
      ["/api/v1/namespaces/default/events", { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "default" }, involvedObject: { kind: "Workspace", name: "w" }, reason: "Hello", type: "Normal", count: 1, firstTimestamp: "2026-01-31T12:00:00Z" }],
      ["/apis/coordination.k8s.io/v1/namespaces/default/leases", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l", namespace: "default" }, spec: { holderIdentity: "me", leaseDurationSeconds: 15 } }],
    ] as const;
    for (const [path, object] of made) assert.equal((await post(app, path, encodeKubernetesProtobuf(object)!, "application/json")).status, 201, path);
    assert.equal((await store.get("Event", { namespace: "default", name: "e" })).reason, "Hello");
    assert.equal((await store.get("Lease", { namespace: "default", name: "l" })).spec.leaseDurationSeconds, 15);
    await send("POST", `${room}/workspaces`, workspace("w"));
    const options = encodeKubernetesProtobuf({ apiVersion: "vendetta.dev/v1alpha1", kind: "DeleteOptions", propagationPolicy: "Foreground" } as never)!;
    assert.equal((await post(app, `${room}/workspaces/w`, options, "application/json", "DELETE")).status, 200);
    assert.deepEqual((await store.get("Workspace", { namespace: "default", name: "w" })).metadata.finalizers, ["foregroundDeletion"]);
  });
  it("is no form of our own kinds, and one that names another kind is refused", async () => {
    const { app } = testApp();
    assert.equal((await post(app, `${room}/workspaces`, bytesOf("namespace"), "application/json")).status, 415);
    assert.equal((await post(app, "/api/v1/namespaces/default/events", bytesOf("namespace"), "application/json")).status, 400);
    assert.equal((await post(app, "/api/v1/namespaces", Buffer.from("k8s\0nonsense"), "application/json")).status, 400);
    const evil = encodeKubernetesProtobuf({ apiVersion: "v1", kind: "Namespace", metadata: { name: "z", labels: JSON.parse('{"__proto__":"x"}') as object } } as never)!;
    const status = (await (await post(app, "/api/v1/namespaces", evil, "application/json")).json()) as any;
    assert.match(status.message, /"metadata.labels.__proto__" is not allowed/);
  });
  it("answers whoami", async () => {
    const { app } = testApp();
    const answer = await post(app, "/apis/authentication.k8s.io/v1/selfsubjectreviews", bytesOf("subjectReview"), `${protobufType},application/json`);
    assert.equal(answer.status, 201);
    const { status } = decodeKubernetesProtobuf(new Uint8Array(await answer.arrayBuffer())) as any;
    assert.deepEqual(status, { userInfo: { username: "vendetta-admin", groups: ["system:masters", "system:authenticated"] } });
  });
});
