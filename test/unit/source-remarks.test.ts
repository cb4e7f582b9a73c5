import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { sourceAnnotation } from "../../src/api/annotations.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";

const apiVersion = "vendetta.dev/v1alpha1";

describe("what somebody hears who changes what a Source keeps", () => {
  let server: CliServer;
  before(async () => {
    server = await cliServer();
    const owned = (name: string, source: string) => server.store.create("Service", { apiVersion, kind: "Service", metadata: { name, namespace: "default", annotations: { [sourceAnnotation]: source } }, spec: { workspace: "dev", command: ["run"] } } as never);
    const source = (name: string, spec: object = {}) => server.store.create("Source", { apiVersion, kind: "Source", metadata: { name }, spec: { directory: { path: "/place" }, ...spec } } as never);
    await Promise.all([source("team"), source("still", { suspend: true }), source("lenient", { driftPolicy: "report" })]);
    await Promise.all([owned("web", "team"), owned("quiet", "still"), owned("free", "lenient"), owned("left", "gone")]);
    const team = await server.store.get("Source", { name: "team" });
    await server.store.updateStatus("Source", { ...team, status: { inventory: [{ kind: "Service", namespace: "default", name: "web", hash: "h" }] } });
  });
  after(() => server.stop());

  const said = async (args: readonly string[]) => {
    const { code, stderr } = await server.run(args);
    assert.equal(code, 0, stderr);
    return stderr.split("\n").filter((line) => line.startsWith("Warning: "));
  };
  const patch = (name: string, spec: object) => ["patch", "service", name, "--type=merge", "-p", JSON.stringify({ spec })];

  it("is that its spec will be set again, once a command", async () => {
    assert.deepEqual(await said(patch("web", { port: 4000 })), [`Warning: Service "web" belongs to Source "team", which sets again what its manifest names: change its manifest, or say 'vendetta source suspend team' first`]);
  });
  it("is nothing when that stays: a Source that is suspended, lets it, or is gone; or no spec was changed", async () => {
    for (const name of ["quiet", "free", "left"]) assert.deepEqual(await said(patch(name, { command: ["other"] })), [], name);
    assert.deepEqual(await said(["label", "service", "web", "a=b"]), []);
    assert.deepEqual(await said(patch("web", { port: 4000 })), [], "as it is");
  });
  it("is that it will be made again when it is deleted, and what stays when the Source is", async () => {
    assert.match((await said(["delete", "service", "web", "--wait=false"]))[0]!, /^Warning: Service "web" belongs to Source "team", which makes it again: /);
    assert.deepEqual(await said(["delete", "service", "left", "--wait=false"]), []);
    assert.deepEqual(await said(["delete", "source", "team", "--wait=false"]), [`Warning: what Source "team" has applied stays: 1 object`]);
  });
  it("is in the answer, for other clients", async () => {
    await server.store.create("Service", { apiVersion, kind: "Service", metadata: { name: "more", namespace: "default", annotations: { [sourceAnnotation]: "next" } }, spec: { workspace: "dev", command: ["run"] } } as never);
    await server.store.create("Source", { apiVersion, kind: "Source", metadata: { name: "next" }, spec: { directory: { path: "/place" } } } as never);
    const response = await server.send("PATCH", "/apis/vendetta.dev/v1alpha1/namespaces/default/services/more", { spec: { port: 1 } }, { "content-type": "application/merge-patch+json" });
    assert.match(response.headers.get("warning")!, /^299 - "Service \\"more\\" belongs to Source \\"next\\"/);
  });
});
