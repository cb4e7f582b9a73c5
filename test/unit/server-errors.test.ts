import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import type { Store } from "../../src/store/store.ts";
import { group, room, testApp, workspace } from "./server-harness.ts";

describe("every error is a metav1.Status", () => {
  const table: readonly (readonly [string, string, number, string, { readonly body?: unknown; readonly headers?: Record<string, string> }?])[] = [
    ["GET", "/", 404, "NotFound"],
    ["GET", "/apis/vendetta.dev/v2/workspaces", 404, "NotFound"],
    ["GET", `${group}/gadgets`, 404, "NotFound"],
    ["GET", `${room}/workspaces/none`, 404, "NotFound"],
    ["GET", `${room}/workspaces/none/status`, 404, "NotFound"],
    ["GET", `${room}/workspaces/none/nonsense`, 404, "NotFound"],
    ["POST", `${room}/workspaces/none/exec`, 400, "BadRequest"],
    ["GET", `${room}/services/none/log`, 404, "NotFound"],
    ["GET", `${room}/nodes`, 404, "NotFound"],
    ["DELETE", `${group}/workspaces`, 405, "MethodNotAllowed"],
    ["DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"],
    ["DELETE", `${room}/workspaces?labelSelector=a%20in`, 400, "BadRequest"],
    ["DELETE", `${room}/workspaces`, 406, "NotAcceptable", { headers: { accept: "text/html" } }],
    ["POST", `${room}/workspaces/a`, 405, "MethodNotAllowed", { body: {} }],
    ["GET", `${room}/workspaces?limit=x`, 400, "BadRequest"],
    ["GET", `${room}/workspaces?limit=-1`, 400, "BadRequest"],
    ["GET", `${room}/workspaces?labelSelector=a%20in`, 400, "BadRequest"],
    ["GET", `${room}/workspaces?fieldSelector=spec.image=x`, 400, "BadRequest"],
    ["GET", `${room}/workspaces?watch=maybe`, 400, "BadRequest"],
    ["GET", `${room}/workspaces?watch=true&resourceVersion=x`, 400, "BadRequest"],
    ["GET", `${room}/workspaces`, 406, "NotAcceptable", { headers: { accept: "application/vnd.kubernetes.protobuf" } }],
    ["GET", `${room}/workspaces`, 403, "Forbidden", { headers: { origin: "http://localhost" } }],
    ["GET", `${room}/workspaces`, 403, "Forbidden", { headers: { "sec-fetch-site": "cross-site" } }],
    ["GET", `${room}/workspaces`, 403, "Forbidden", { headers: { host: "evil.example" } }],
    ["GET", `${room}/workspaces`, 403, "Forbidden", { headers: { "impersonate-user": "bob" } }],
    ["POST", `${room}/workspaces`, 400, "BadRequest"],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: "{" }],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: [] }],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: { metadata: 1 } }],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: workspace("a", {}, { resourceVersion: "5" }) }],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: workspace("a", {}, { namespace: "other" }) }],
    ["POST", `${room}/workspaces`, 400, "BadRequest", { body: { ...workspace("a"), kind: "Service" } }],
    ["POST", `${room}/workspaces`, 415, "UnsupportedMediaType", { body: workspace("a"), headers: { "content-type": "text/plain" } }],
    ["POST", `${room}/workspaces`, 415, "UnsupportedMediaType", { body: workspace("a"), headers: { "content-type": "application/vnd.kubernetes.protobuf" } }],
    ["POST", `${room}/workspaces`, 422, "Invalid", { body: workspace("A B") }],
    ["POST", `${room}/workspaces`, 422, "Invalid", { body: workspace("a", { provider: "vmware" }) }],
    ["POST", `${room}/workspaces?fieldValidation=Maybe`, 400, "BadRequest", { body: workspace("a") }],
    ["POST", `${room}/workspaces?dryRun=Some`, 400, "BadRequest", { body: workspace("a") }],
    ["POST", `${group}/namespaces/none/workspaces`, 404, "NotFound", { body: workspace("a", {}, { namespace: "none" }) }],
    ["PUT", `${room}/workspaces/b`, 400, "BadRequest", { body: workspace("a") }],
    ["PUT", `${room}/workspaces/a`, 404, "NotFound", { body: workspace("a") }],
    ["PATCH", `${room}/workspaces/a`, 415, "UnsupportedMediaType", { body: {} }],
    ["PATCH", `${room}/workspaces/a`, 415, "UnsupportedMediaType", { body: {}, headers: { "content-type": "application/strategic-merge-patch+json" } }],
    ["PATCH", `${room}/workspaces/a`, 400, "BadRequest", { body: [], headers: { "content-type": "application/merge-patch+json" } }],
    ["PATCH", `${room}/workspaces/a`, 400, "BadRequest", { body: {}, headers: { "content-type": "application/json-patch+json" } }],
    ["DELETE", `${room}/workspaces/a`, 404, "NotFound"],
    ["DELETE", `${room}/workspaces/a`, 422, "Invalid", { body: { propagationPolicy: "Sideways" } }],
    ["DELETE", `${room}/workspaces/a?propagationPolicy=Sideways`, 422, "Invalid"],
    ["DELETE", `${room}/workspaces/a`, 422, "Invalid", { body: { propagationPolicy: "Orphan", orphanDependents: true } }],
    ["DELETE", `${room}/workspaces/a`, 422, "Invalid", { body: { gracePeriodSeconds: -1 } }],
    ["DELETE", `${room}/workspaces/a`, 422, "Invalid", { body: { dryRun: ["Some"] } }],
    ["DELETE", `${room}/workspaces/a`, 422, "Invalid", { body: { preconditions: { uid: 1 } } }],
    ["DELETE", `${room}/workspaces/a`, 400, "BadRequest", { body: workspace("a") }],
  ];
  for (const [method, path, code, reason, { body, headers } = {}] of table) {
    it(`${method} ${path.replace(group, "…")} ${headers === undefined ? "" : JSON.stringify(headers)} is ${code} ${reason}`, async () => {
      const { send } = testApp();
      const response = await send(method, path, body, headers);
      assert.equal(response.headers.get("content-type"), "application/json");
      const status = (await response.json()) as { kind: string; status: string; code: number; reason: string; message: string };
      assert.deepEqual([response.status, status.kind, status.status, status.code, status.reason], [code, "Status", "Failure", code, reason], status.message);
      assert.ok(status.message.length > 10);
    });
  }

  it("a bug of ours is 500, without a stack", async () => {
    const broken = { get: () => Promise.reject(new TypeError("x is not a function")) } as unknown as Store;
    const { send } = testApp({ store: broken });
    const response = await send("GET", `${room}/workspaces/a`);
    const text = await response.text();
    assert.equal(response.status, 500);
    assert.match(text, /"InternalError"/);
    assert.doesNotMatch(text, /at .*\.js/);
  });

  it("a store that never answers is 504 after a minute", async () => {
    const clock = createVirtualClock();
    const { send } = testApp({ clock, store: { get: () => new Promise(() => undefined) } as unknown as Store });
    const response = send("GET", `${room}/workspaces/a`);
    await clock.advance(60_000);
    assert.equal((await response).status, 504);
    assert.equal(clock.pending, 0);
  });
});
