import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { room, testApp, workspace, type TestApp } from "./server-harness.ts";

const path = `${room}/workspaces`;
const merge = { "content-type": "application/merge-patch+json" };
const json = { "content-type": "application/json-patch+json" };

async function made(): Promise<TestApp & { readonly object: any }> {
  const test = testApp();
  const response = await test.send("POST", path, workspace("a"));
  assert.equal(response.status, 201);
  return { ...test, object: await response.json() };
}

describe("create", () => {
  it("answers 201 with what was stored", async () => {
    const { object, store } = await made();
    assert.equal(object.metadata.generation, 1);
    assert.equal(object.spec.state, "Running");
    assert.deepEqual(await store.get("Workspace", { namespace: "default", name: "a" }), object);
  });
  it("takes the namespace from the path", async () => {
    const { send } = testApp();
    const body = workspace("a");
    const response = await send("POST", path, { ...body, metadata: { name: "a" } });
    assert.equal(((await response.json()) as any).metadata.namespace, "default");
  });
  it("a second time is 409 AlreadyExists", async () => {
    const { send } = await made();
    const response = await send("POST", path, workspace("a"));
    assert.deepEqual([response.status, ((await response.json()) as any).reason], [409, "AlreadyExists"]);
  });
  it("with dryRun=All stores nothing", async () => {
    const { send } = testApp();
    assert.equal((await send("POST", `${path}?dryRun=All`, workspace("a"))).status, 201);
    assert.equal((await send("GET", `${path}/a`)).status, 404);
  });
});

describe("fieldValidation", () => {
  const body = workspace("b", { bogus: 1, ports: [{ port: 80, wrong: true }] }, { extra: "x" });
  const withExtra = { ...body, more: 1 };
  const unknown = ["metadata.extra", "more", "spec.bogus", "spec.ports[0].wrong"];

  it("Strict is 400 in kubectl's words", async () => {
    const { send } = testApp();
    const response = await send("POST", `${path}?fieldValidation=Strict`, withExtra);
    const status = (await response.json()) as any;
    assert.deepEqual([response.status, status.reason], [400, "BadRequest"]);
    assert.match(status.message, /^Workspace in version "v1alpha1" cannot be handled as a Workspace: strict decoding error: .*unknown field "spec\.bogus"/);
    for (const field of unknown) assert.ok(status.message.includes(`unknown field "${field}"`), field);
  });
  it("absent is 422 with causes, from the store", async () => {
    const { send } = testApp();
    const response = await send("POST", path, withExtra);
    const status = (await response.json()) as any;
    assert.equal(response.status, 422);
    assert.deepEqual(status.details.causes.map((cause: any) => cause.field).sort(), unknown);
  });
  for (const [validation, warned] of [["Warn", true], ["Ignore", false]] as const) {
    it(`${validation} takes them out${warned ? " and says so" : ""}`, async () => {
      const { send } = testApp();
      const response = await send("POST", `${path}?fieldValidation=${validation}`, withExtra);
      assert.equal(response.status, 201);
      const stored = (await response.json()) as any;
      assert.deepEqual(stored.spec.ports, [{ port: 80 }]);
      assert.equal("bogus" in stored.spec || "more" in stored || "extra" in stored.metadata, false);
      const warnings = response.headers.get("warning") ?? "";
      for (const field of unknown) assert.equal(warnings.includes(`299 - "unknown field \\"${field}\\""`), warned, warnings);
    });
  }
  it("Warn leaves other faults to the store", async () => {
    const { send } = testApp();
    assert.equal((await send("POST", `${path}?fieldValidation=Warn`, workspace("b", { bogus: 1, provider: "vmware" }))).status, 422);
  });
  it("holds for merge patches", async () => {
    const { send } = await made();
    const patch = { spec: { bogus: 1, env: { A: "1" } } };
    assert.equal((await send("PATCH", `${path}/a?fieldValidation=Strict`, patch, merge)).status, 400);
    const response = await send("PATCH", `${path}/a?fieldValidation=Warn`, patch, merge);
    assert.equal(response.status, 200);
    assert.deepEqual(((await response.json()) as any).spec.env, { A: "1" });
    assert.match(response.headers.get("warning") ?? "", /spec\.bogus/);
  });
});

describe("update", () => {
  it("replaces, and a stale version is 409 Conflict", async () => {
    const { send, object } = await made();
    const changed = { ...object, spec: { ...object.spec, env: { A: "1" } } };
    const first = await send("PUT", `${path}/a`, changed);
    assert.deepEqual([first.status, ((await first.json()) as any).metadata.generation], [200, 2]);
    const second = await send("PUT", `${path}/a`, { ...changed, spec: { ...object.spec, env: { A: "2" } } });
    assert.deepEqual([second.status, ((await second.json()) as any).reason], [409, "Conflict"]);
  });
  it("of the status leaves the spec, and the other way round", async () => {
    const { send, object } = await made();
    const withStatus = { ...object, spec: { ...object.spec, env: { A: "no" } }, status: { phase: "Running" } };
    const first = (await (await send("PUT", `${path}/a/status`, withStatus)).json()) as any;
    assert.deepEqual([first.status, first.spec.env], [{ phase: "Running" }, {}]);
    const second = (await (await send("PUT", `${path}/a`, { ...workspace("a", { env: { A: "1" } }), status: { phase: "Failed" } })).json()) as any;
    assert.deepEqual([second.status, second.spec.env], [{ phase: "Running" }, { A: "1" }]);
  });
});

describe("patch", () => {
  it("merges", async () => {
    const { send } = await made();
    const response = await send("PATCH", `${path}/a`, { metadata: { labels: { app: "x" } }, spec: { image: "node:22" } }, merge);
    const object = (await response.json()) as any;
    assert.deepEqual([response.status, object.metadata.labels, object.spec.image, object.spec.provider], [200, { app: "x" }, "node:22", "docker"]);
  });
  it("applies RFC 6902, and a failing test is 422", async () => {
    const { send } = await made();
    const good = await send("PATCH", `${path}/a`, [{ op: "test", path: "/spec/image", value: "node:20" }, { op: "replace", path: "/spec/image", value: "node:22" }], json);
    assert.deepEqual([good.status, ((await good.json()) as any).spec.image], [200, "node:22"]);
    assert.equal((await send("PATCH", `${path}/a`, [{ op: "test", path: "/spec/image", value: "other" }], json)).status, 422);
  });
  it("of the status", async () => {
    const { send } = await made();
    const object = (await (await send("PATCH", `${path}/a/status`, { status: { phase: "Running" }, spec: { image: "other" } }, merge)).json()) as any;
    assert.deepEqual([object.status, object.spec.image], [{ phase: "Running" }, "node:20"]);
  });
  it("with dryRun=All stores nothing", async () => {
    const { send } = await made();
    assert.equal((await send("PATCH", `${path}/a?dryRun=All`, { spec: { image: "node:22" } }, merge)).status, 200);
    assert.equal(((await (await send("GET", `${path}/a`)).json()) as any).spec.image, "node:20");
  });
});

describe("delete", () => {
  it("answers a Status with the uid, or the object where it is preferred", async () => {
    const { send, object } = await made();
    const status = (await (await send("DELETE", `${path}/a`, { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" })).json()) as any;
    assert.deepEqual([status.kind, status.status, status.details], ["Status", "Success", { name: "a", group: "vendetta.dev", kind: "workspaces", uid: object.metadata.uid }]);
    await send("POST", path, workspace("a"));
    const gone = (await (await send("DELETE", `${path}/a`, undefined, { prefer: "return=representation" })).json()) as any;
    assert.deepEqual([gone.kind, gone.metadata.name], ["Workspace", "a"]);
  });
  it("answers the object while finalizers hold it", async () => {
    const { send } = testApp();
    await send("POST", path, workspace("a", {}, { finalizers: ["vendetta.dev/cleanup"] }));
    const object = (await (await send("DELETE", `${path}/a`)).json()) as any;
    assert.equal(object.kind, "Workspace");
    assert.ok(object.metadata.deletionTimestamp);
  });
  it("keeps preconditions", async () => {
    const { send, object } = await made();
    assert.equal((await send("DELETE", `${path}/a`, { preconditions: { uid: "other" } })).status, 409);
    assert.equal((await send("DELETE", `${path}/a`, { preconditions: { uid: object.metadata.uid, resourceVersion: object.metadata.resourceVersion } })).status, 200);
  });
  it("with dryRun stores nothing", async () => {
    const { send } = await made();
    assert.equal((await send("DELETE", `${path}/a`, { dryRun: ["All"] })).status, 200);
    assert.equal((await send("DELETE", `${path}/a?dryRun=All`)).status, 200);
    assert.equal((await send("GET", `${path}/a`)).status, 200);
  });
  it("takes every wish for the dependents, in body and query, in the old form too", async () => {
    const { send } = testApp();
    const wishes: readonly (readonly [string, object | undefined, number, string[] | undefined])[] = [
      ["", { propagationPolicy: "Foreground" }, 200, ["foregroundDeletion"]],
      ["", { propagationPolicy: "Orphan", gracePeriodSeconds: 0 }, 200, ["orphan"]],
      ["", { propagationPolicy: "Background", kind: "DeleteOptions", apiVersion: "v1" }, 200, undefined],
      ["", { orphanDependents: true }, 200, ["orphan"]],
      ["", { orphanDependents: false }, 200, undefined],
      ["?propagationPolicy=Foreground&gracePeriodSeconds=30", undefined, 200, ["foregroundDeletion"]],
      ["?propagationPolicy=Orphan", { propagationPolicy: "Foreground" }, 200, ["foregroundDeletion"]],
      ["?orphanDependents=true", undefined, 200, ["orphan"]],
    ];
    for (const [i, [query, body, code, finalizers]] of wishes.entries()) {
      await send("POST", path, workspace(`w${i}`));
      const response = await send("DELETE", `${path}/w${i}${query}`, body);
      const object = (await response.json()) as any;
      assert.deepEqual([response.status, object.kind, object.metadata.finalizers], [code, finalizers === undefined ? "Status" : "Workspace", finalizers], JSON.stringify([query, body]));
    }
    await send("POST", path, workspace("held", {}, { finalizers: ["vendetta.dev/cleanup"] }));
    assert.equal((await send("DELETE", `${path}/held`, { orphanDependents: false })).status, 202, "dependents go, and it is still there");
  });
});

describe("deletecollection", () => {
  const names = async (send: Awaited<ReturnType<typeof made>>["send"]) => (((await (await send("GET", path)).json()) as any).items as { metadata: { name: string } }[]).map((each) => each.metadata.name);
  const many = async () => {
    const { send } = testApp();
    for (let i = 0; i < 130; i++) await send("POST", path, workspace(`w${String(i).padStart(3, "0")}`, {}, { labels: { odd: String(i % 2 === 1) } }));
    return send;
  };
  it("deletes what the selectors select, and answers with the list of it", async () => {
    const send = await many();
    const list = (await (await send("DELETE", `${path}?labelSelector=odd%3Dtrue`)).json()) as any;
    assert.deepEqual([list.kind, list.apiVersion, list.items.length], ["WorkspaceList", "vendetta.dev/v1alpha1", 65]);
    assert.equal((await names(send)).length, 65);
    await send("DELETE", `${path}?fieldSelector=metadata.name%3Dw000`, { kind: "DeleteOptions", apiVersion: "v1" });
    assert.equal((await names(send))[0], "w002");
  });
  it("with dryRun deletes nothing", async () => {
    const send = await many();
    assert.equal(((await (await send("DELETE", `${path}?dryRun=All`)).json()) as any).items.length, 130);
    assert.equal((await names(send)).length, 130);
  });
  it("carries the wish for the dependents, and stays in its namespace", async () => {
    const { send, store } = testApp();
    await send("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
    await send("POST", path, workspace("a"));
    await send("POST", path.replace("/default/", "/other/"), workspace("a", {}, { namespace: "other" }));
    await send("DELETE", path, { propagationPolicy: "Foreground" });
    assert.deepEqual((await store.get("Workspace", { namespace: "default", name: "a" })).metadata.finalizers, ["foregroundDeletion"]);
    assert.equal((await store.get("Workspace", { namespace: "other", name: "a" })).metadata.deletionTimestamp, undefined);
  });
  it("says what it could not delete, having ended all it began", async () => {
    const { send } = await made();
    assert.equal((await send("DELETE", path, { preconditions: { uid: "another" } })).status, 409);
    assert.deepEqual(await names(send), ["a"]);
  });
});
