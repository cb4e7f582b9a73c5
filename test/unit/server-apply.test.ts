import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { room, testApp, workspace } from "./server-harness.ts";

const path = `${room}/workspaces/a`;
const applyPatch = { "content-type": "application/apply-patch+yaml" };
const merge = { "content-type": "application/merge-patch+json" };
const apiVersion = "vendetta.dev/v1alpha1";

type Body = any;
const bodyOf = async (response: Response): Promise<Body> => await response.json();
const managers = (object: Body): string[] => (object.metadata.managedFields ?? []).map(({ manager, operation }: Body) => `${manager} ${operation}`);

describe("PATCH application/apply-patch+yaml", () => {
  it("takes YAML and JSON; is 201 when it made the object and 200 when not", async () => {
    const { send } = testApp();
    const yaml = "apiVersion: vendetta.dev/v1alpha1\nkind: Workspace\nmetadata: {name: a}\nspec:\n  provider: docker\n  image: node:20 # the LTS\n";
    const first = await send("PATCH", `${path}?fieldManager=me`, yaml, applyPatch);
    const object = await bodyOf(first);
    assert.deepEqual([first.status, object.spec.image, object.metadata.namespace, managers(object)], [201, "node:20", "default", ["me Apply"]]);
    const second = await send("PATCH", `${path}?fieldManager=me`, workspace("a", { env: { A: "1" } }), applyPatch);
    assert.deepEqual([second.status, (await bodyOf(second)).spec.env], [200, { A: "1" }]);
  });

  it("with dryRun=All is 201 too, and stores nothing", async () => {
    const { send } = testApp();
    assert.equal((await send("PATCH", `${path}?fieldManager=me&dryRun=All`, workspace("a"), applyPatch)).status, 201);
    assert.equal((await send("GET", path)).status, 404);
  });

  const refusals: readonly [what: string, query: string, body: unknown, headers: Record<string, string>, code: number, message: RegExp | string][] = [
    ["no fieldManager", "", workspace("a"), applyPatch, 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'],
    ["a long fieldManager", `?fieldManager=${"x".repeat(129)}`, workspace("a"), applyPatch, 422, /fieldManager: Too long: may not be more than 128 bytes/],
    ["an unprintable fieldManager", "?fieldManager=a%0Ab", workspace("a"), applyPatch, 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)'],
    ["force on another patch", "?force=true", { spec: {} }, merge, 422, 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'],
    ["managedFields in the configuration", "?fieldManager=me", workspace("a", {}, { managedFields: [] }), applyPatch, 400, "metadata.managedFields must be nil"],
    ["no apiVersion", "?fieldManager=me", { kind: "Workspace" }, applyPatch, 400, /Incorrect version specified in apply patch\. .*expected: vendetta\.dev\/v1alpha1/],
    ["CBOR", "?fieldManager=me", "x", { "content-type": "application/apply-patch+cbor" }, 415, /accepted media types: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml/],
    ["a list", "?fieldManager=me", "- 1", applyPatch, 400, /expected an object/],
    ["text that is no YAML", "?fieldManager=me", "a: [", applyPatch, 400, /as YAML/],
    ["nothing", "?fieldManager=me", "", applyPatch, 400, /expected an object/],
    ["another name", "?fieldManager=me", workspace("b"), applyPatch, 400, /does not match the name/],
    ["another namespace", "?fieldManager=me", workspace("a", {}, { namespace: "other" }), applyPatch, 400, /does not match the namespace/],
    ["what is not valid", "?fieldManager=me", workspace("a", { provider: "vmware" }), applyPatch, 422, /spec\.provider/],
    ["an absent namespace", "?fieldManager=me", workspace("a", {}, { namespace: "none" }), applyPatch, 404, 'namespaces "none" not found'],
  ];
  for (const [what, query, body, headers, code, message] of refusals) {
    it(`refuses ${what}: ${code}`, async () => {
      const { send, store } = testApp();
      const response = await send("PATCH", `${what === "an absent namespace" ? path.replace("/default/", "/none/") : path}${query}`, body, headers);
      const status = await bodyOf(response);
      assert.deepEqual([response.status, status.kind, status.code], [code, "Status", code]);
      if (typeof message === "string") assert.equal(status.message, message);
      else assert.match(status.message, message);
      assert.deepEqual((await store.list("Workspace")).items, []);
    });
  }

  it("tells a conflict as kubectl reads it, and takes the field with force=true", async () => {
    const { send } = testApp();
    await send("PATCH", `${path}?fieldManager=a`, workspace("a"), applyPatch);
    await send("PATCH", path, { spec: { image: "node:22" } }, { ...merge, "user-agent": "editor/1.0 (linux/amd64)" });
    const response = await send("PATCH", `${path}?fieldManager=a`, workspace("a"), applyPatch);
    const status = await bodyOf(response);
    assert.deepEqual(status, {
      kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 409, reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "editor" using vendetta.dev/v1alpha1: .spec.image',
      details: { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "editor" using vendetta.dev/v1alpha1', field: ".spec.image" }] },
    });
    const forced = await bodyOf(await send("PATCH", `${path}?fieldManager=a&force=true`, workspace("a"), applyPatch));
    assert.deepEqual([forced.spec.image, managers(forced)], ["node:20", ["a Apply"]]);
  });

  const extra = workspace("a", { bogus: 1 }, { extra: "x" });
  for (const [validation, code] of [["Strict", 400], ["Warn", 201], ["Ignore", 201]] as const) {
    it(`with fieldValidation=${validation} and unknown fields is ${code}`, async () => {
      const { send } = testApp();
      const response = await send("PATCH", `${path}?fieldManager=a&fieldValidation=${validation}`, extra, applyPatch);
      assert.equal(response.status, code);
      assert.equal((response.headers.get("warning") ?? "").includes("spec.bogus"), validation === "Warn");
      if (code === 400) assert.match((await bodyOf(response)).message, /strict decoding error: .*unknown field "spec\.bogus"/);
      else assert.equal(JSON.stringify((await bodyOf(response)).metadata.managedFields).includes("bogus"), false);
    });
  }

  it("of the status", async () => {
    const { send } = testApp();
    await send("PATCH", `${path}?fieldManager=a`, workspace("a"), applyPatch);
    const object = await bodyOf(await send("PATCH", `${path}/status?fieldManager=probe`, { apiVersion, kind: "Workspace", status: { phase: "Running" } }, applyPatch));
    assert.deepEqual([object.status, object.metadata.managedFields.map(({ manager, subresource }: Body) => [manager, subresource])], [{ phase: "Running" }, [["a", undefined], ["probe", "status"]]]);
    assert.equal((await send("PATCH", `${path.replace("/a", "/none")}/status?fieldManager=probe`, { apiVersion, kind: "Workspace", status: {} }, applyPatch)).status, 404);
  });
});

describe("fieldManager of other writes", () => {
  it("is the query's, else what the User-Agent begins with", async () => {
    const { send } = testApp();
    const agent = { "user-agent": "kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd" };
    assert.deepEqual(managers(await bodyOf(await send("POST", `${room}/workspaces?fieldManager=kubectl-create`, workspace("a"), agent))), ["kubectl-create Update"]);
    assert.deepEqual(managers(await bodyOf(await send("POST", `${room}/workspaces`, workspace("b"), agent))), ["kubectl Update"]);
    assert.deepEqual(managers(await bodyOf(await send("POST", `${room}/workspaces`, workspace("c")))), ["unknown Update"]);
    const refused = await send("POST", `${room}/workspaces?fieldManager=${"x".repeat(200)}`, workspace("d"));
    assert.deepEqual([refused.status, (await bodyOf(refused)).message], [422, 'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes']);
    const long = await bodyOf(await send("POST", `${room}/workspaces`, workspace("e"), { "user-agent": `${"y".repeat(300)}/1` }));
    assert.deepEqual(managers(long), [`${"y".repeat(128)} Update`]);
  });
});

describe("kubectl's way from client-side apply", () => {
  const note = (spec: object) => ({ annotations: { "kubectl.kubernetes.io/last-applied-configuration": `${JSON.stringify({ apiVersion, kind: "Workspace", metadata: { name: "a", namespace: "default" }, spec: { provider: "docker", image: "node:20", ...spec } })}\n` } });

  it("needs no force for fields that are as client-side apply left them, and keeps its note up to date", async () => {
    const { send } = testApp();
    await send("POST", `${room}/workspaces?fieldManager=kubectl-client-side-apply`, workspace("a", { env: { A: "1" } }, note({ env: { A: "1" } })));
    assert.equal((await send("PATCH", `${path}?fieldManager=other`, workspace("a", { image: "node:22" }), applyPatch)).status, 409);
    const response = await send("PATCH", `${path}?fieldManager=kubectl`, workspace("a", { image: "node:22" }), applyPatch);
    const object = await bodyOf(response);
    assert.deepEqual([response.status, object.spec.image], [200, "node:22"]);
    const noted = JSON.parse(object.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]);
    assert.equal(noted.spec.image, "node:22");
  });

  it("does need it for what somebody else has changed since", async () => {
    const { send } = testApp();
    await send("POST", `${room}/workspaces?fieldManager=kubectl-client-side-apply`, workspace("a", {}, note({})));
    await send("PATCH", `${path}?fieldManager=editor`, { spec: { image: "node:21" } }, merge);
    const response = await send("PATCH", `${path}?fieldManager=kubectl`, workspace("a", { image: "node:22", provider: "docker" }), applyPatch);
    assert.deepEqual([response.status, (await bodyOf(response)).details.causes.length], [409, 1]);
  });
});
