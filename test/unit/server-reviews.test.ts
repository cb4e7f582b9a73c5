import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testApp } from "./server-harness.ts";

const access = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const ask = async (spec: object) => {
  const response = await testApp().send("POST", access, { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec });
  return { code: response.status, body: (await response.json()) as any };
};

describe("what one may do", () => {
  const may: readonly (readonly [verb: string, group: string, resource: string, subresource: string, reason?: RegExp])[] = [
    ["create", "vendetta.dev", "workspaces", ""],
    ["deletecollection", "vendetta.dev", "workspaces", ""],
    ["*", "*", "*", ""],
    ["get", "*", "*", "*"],
    ["watch", "", "events", ""],
    ["update", "coordination.k8s.io", "leases", ""],
    ["patch", "vendetta.dev", "workspaces", "status"],
    ["create", "authorization.k8s.io", "selfsubjectaccessreviews", ""],
    ["deletecollection", "", "namespaces", "", /namespaces has no verb "deletecollection": it has create/],
    ["create", "vendetta.dev", "workspaces", "status", /workspaces\.vendetta\.dev\/status has no verb "create"/],
    ["get", "vendetta.dev", "workspaces", "scale", /no resource "workspaces\.vendetta\.dev\/scale"/],
    ["get", "", "workspaces", "", /no resource "workspaces"/],
    ["list", "", "secrets", "", /no resource "secrets"/],
    ["impersonate", "vendetta.dev", "nodes", "", /no verb "impersonate"/],
    ["constructor", "vendetta.dev", "nodes", "", /no verb/],
  ];
  for (const [verb, group, resource, subresource, reason] of may) {
    it(`${verb} ${resource}.${group}${subresource && `/${subresource}`}: ${reason === undefined ? "yes" : "no"}`, async () => {
      const { code, body } = await ask({ resourceAttributes: { verb, group, resource, subresource, namespace: "default" } });
      assert.deepEqual([code, body.kind, body.status.allowed], [201, "SelfSubjectAccessReview", reason === undefined]);
      if (reason !== undefined) assert.match(body.status.reason, reason);
      assert.equal(body.spec.resourceAttributes.resource, resource);
    });
  }
  it("with paths that are no resources", async () => {
    for (const [path, verb, allowed] of [["/healthz", "get", true], ["/apis/x", "get", true], ["/metrics", "post", false], ["/logs", "get", false], ["*", "*", true]] as const) {
      assert.equal((await ask({ nonResourceAttributes: { path, verb } })).body.status.allowed, allowed, `${verb} ${path}`);
    }
  });
  it("is asked by one of the two, in the right kind", async () => {
    assert.equal((await ask({})).code, 422);
    assert.equal((await ask({ resourceAttributes: {}, nonResourceAttributes: {} })).code, 422);
    assert.equal((await ask({ resourceAttributes: { verb: 1 } })).code, 400);
    assert.equal((await ask({ resourceAttributes: [] })).code, 400);
    const { send } = testApp();
    assert.equal((await send("POST", access, { kind: "Workspace" })).status, 400);
    assert.equal((await send("POST", access, "[]")).status, 400);
    assert.equal((await send("GET", access)).status, 405);
  });
  it("is listed by resource and verbs", async () => {
    const response = await testApp().send("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { spec: { namespace: "default" } });
    const { status } = (await response.json()) as any;
    assert.equal(status.incomplete, false);
    const ruleOf = (group: string, resource: string) => status.resourceRules.filter((each: any) => each.apiGroups.includes(group) && each.resources.includes(resource)).map((each: any) => each.verbs);
    assert.deepEqual(ruleOf("vendetta.dev", "workspaces"), [["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]]);
    assert.deepEqual(ruleOf("", "namespaces"), [["create", "delete", "get", "list", "patch", "update", "watch"]]);
    assert.deepEqual(ruleOf("authorization.k8s.io", "selfsubjectrulesreviews"), [["create"]]);
    assert.deepEqual(status.nonResourceRules[0].verbs, ["get"]);
  });
});

describe("who one is", () => {
  it("is what the listener says", async () => {
    const { app } = testApp();
    const request = () => new Request("http://localhost/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    const named = (await (await app(request(), { user: { name: "somebody", groups: ["g"] } })).json()) as any;
    assert.deepEqual([named.kind, named.apiVersion, named.status.userInfo], ["SelfSubjectReview", "authentication.k8s.io/v1", { username: "somebody", groups: ["g"] }]);
    assert.equal(((await (await app(request())).json()) as any).status.userInfo.username, "vendetta-admin");
  });
});
