import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createTestCli, type CliResult, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { parsePrometheus } from "../harness/prometheus-text.ts";
import { writeManifests } from "./stack.ts";

const kubectlFile = "/usr/bin/kubectl";
const lacking = existsSync(kubectlFile) || process.env["CI"] === "true" ? false : `${kubectlFile} is not installed`;

/** Lets kubectl, which speaks TCP, reach the unix socket. */
async function bridgeTo(socketPath: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(socketPath);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // One end that breaks breaks the other.
      socket.on("error", () => void (near.destroy(), far.destroy()));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const own = "vendetta.dev/v1alpha1";
const workspace = (name: string, metadata: object = {}) => ({ apiVersion: own, kind: "Workspace", metadata: { name, ...metadata }, spec: { provider: "host" } });

describe("what kubectl assumes of every cluster", { skip: lacking, timeout: 180_000 }, () => {
  let cli: TestCli;
  let bridge: Awaited<ReturnType<typeof bridgeTo>>;

  before(async () => {
    // No Docker engine: what is tried here needs none.
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    await cli.ok("server", "start");
    bridge = await bridgeTo(join(cli.home, "run", "api.sock"));
  });
  after(async () => {
    await bridge?.close();
    await cli?.dispose();
  });

  const run = (...args: string[]): Promise<CliResult> =>
    new Promise((resolve) => {
      execFile(kubectlFile, [`--server=${bridge.url}`, ...args], { env: { ...cli.env, KUBECONFIG: "/dev/null" }, timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : null, stdout, stderr });
      });
    });
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  const apply = (name: string, ...items: object[]) => ok("apply", "--validate=false", "-f", writeManifests(cli.home, `${name}.yaml`, [{ apiVersion: "v1", kind: "List", items }]));

  it("auth whoami and can-i", async () => {
    assert.match(await ok("auth", "whoami"), /Username\s+vendetta-admin\nGroups\s+\[system:masters system:authenticated\]/);
    assert.equal(await ok("auth", "can-i", "create", "workspaces"), "yes\n");
    assert.equal(await ok("auth", "can-i", "delete", "namespaces"), "yes\n");
    const no = await run("auth", "can-i", "deletecollection", "namespaces");
    assert.deepEqual([no.code, no.stdout.slice(0, 47)], [1, 'no - namespaces has no verb "deletecollection":']);
    assert.match(await ok("auth", "can-i", "--list"), /workspaces\.vendetta\.dev +\[\] +\[\] +\[create delete deletecollection get list patch update watch\]/);
  });

  it("a namespace: create, label, annotate, patch, edit, delete with what is in it", async () => {
    assert.equal(await ok("create", "namespace", "team"), "namespace/team created\n");
    assert.match((await run("create", "namespace", "team")).stderr, /namespaces "team" already exists/);
    await ok("label", "namespace", "team", "a=1");
    await ok("annotate", "namespace", "team", "note=x");
    await ok("patch", "namespace", "team", "-p", '{"metadata":{"labels":{"b":"2"}}}');
    const editor = join(cli.home, "editor.sh");
    writeFileSync(editor, '#!/bin/sh\nsed -i \'s/^  labels:/  labels:\\n    edited: "yes"/\' "$1"\n', { mode: 0o755 });
    assert.equal((await new Promise<CliResult>((resolve) => {
      execFile(kubectlFile, [`--server=${bridge.url}`, "edit", "namespace", "team", "--validate=false"], { env: { ...cli.env, KUBECONFIG: "/dev/null", EDITOR: editor }, timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, stdout, stderr }));
    })).stdout, "namespace/team edited\n");
    assert.equal(await ok("get", "namespace", "team", "-o", "jsonpath={.metadata.labels.a}{.metadata.labels.b}{.metadata.labels.edited}{.metadata.annotations.note}"), "12yesx");
    await apply("in-team", workspace("dev", { namespace: "team" }), { apiVersion: own, kind: "Service", metadata: { name: "web", namespace: "team" }, spec: { workspace: "dev", command: ["sleep", "100000"] } });
    await eventually(async () => assert.equal(await ok("-n", "team", "get", "service.vendetta.dev", "web", "-o", "jsonpath={.status.phase}"), "Running"), 30_000);
    assert.equal(await ok("delete", "namespace", "team"), 'namespace "team" deleted\n');
    assert.match((await run("get", "namespace", "team")).stderr, /namespaces "team" not found/);
    assert.match(await ok("get", "workspaces", "-A"), /^$/);
    for (const name of ["default", "kube-system"]) assert.match((await run("delete", "namespace", name)).stderr, new RegExp(`Error from server \\(Forbidden\\): namespaces "${name}" is forbidden: this namespace may not be deleted`));
  });

  it("deletion: in the foreground, in the background, leaving orphans, dry, of all", async () => {
    const uid = async (name: string) => await ok("get", "workspace", name, "-o", "jsonpath={.metadata.uid}");
    const owned = async (name: string, owner: string) => workspace(name, { ownerReferences: [{ apiVersion: own, kind: "Workspace", name: owner, uid: await uid(owner), blockOwnerDeletion: true }] });
    await apply("owners", workspace("a"), workspace("b"), workspace("c"));
    await apply("owned", await owned("of-a", "a"), await owned("of-b", "b"), await owned("of-c", "c"));
    const names = async () => (await ok("get", "workspaces", "-o", "name")).trim().split("\n").map((each) => each.split("/")[1]).sort();
    await ok("delete", "workspace", "a", "--dry-run=server");
    assert.deepEqual(await names(), ["a", "b", "c", "of-a", "of-b", "of-c"]);
    await ok("delete", "workspace", "a", "--cascade=foreground");
    assert.deepEqual(await names(), ["b", "c", "of-b", "of-c"], "when the owner has gone, so have its dependents");
    await ok("delete", "workspace", "b", "--cascade=orphan");
    assert.deepEqual(await names(), ["c", "of-b", "of-c"]);
    assert.equal(await ok("get", "workspace", "of-b", "-o", "jsonpath={.metadata.ownerReferences}"), "");
    await ok("delete", "workspace", "c");
    await eventually(async () => assert.deepEqual(await names(), ["of-b"]), 30_000);
    await ok("delete", "workspaces", "--all");
    assert.match((await run("get", "workspaces")).stderr, /No resources found in default namespace/);
  });

  it("events, also of one object, by time, and in describe", async () => {
    await apply("told", workspace("told"));
    await eventually(async () => assert.match(await ok("events", "--for", "workspace/told"), /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.* +Normal +Started +Workspace\/told +started/), 30_000);
    assert.match(await ok("get", "events", "--sort-by=.lastTimestamp"), /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.* +Normal +Started +workspace\/told +started/);
    assert.match(await ok("get", "events", "-o", "wide"), /^LAST SEEN +TYPE +REASON +OBJECT +SUBOBJECT +SOURCE +MESSAGE +FIRST SEEN +COUNT +NAME\n/);
    assert.match(await ok("describe", "workspace", "told"), /Events:\n(.*\n)*.*Normal +Started .*vendetta +started/);
    await ok("delete", "workspace", "told");
  });

  it("leases", async () => {
    await apply("lease", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", labels: { a: "1" } }, spec: { holderIdentity: "me", leaseDurationSeconds: 15, renewTime: "2026-01-31T12:00:00.000000Z" } });
    await apply("lease", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", labels: { a: "1" } }, spec: { holderIdentity: "you", leaseDurationSeconds: 15, renewTime: "2026-01-31T12:00:00.000000Z" } });
    assert.match(await ok("get", "leases", "-A"), /^NAMESPACE +NAME +HOLDER +AGE\ndefault +leader +you/);
    await ok("delete", "lease", "leader");
  });

  it("metrics", async () => {
    const families = parsePrometheus(await ok("get", "--raw", "/metrics"));
    const counts = [...families.get("vendetta_reconciles_total")!.series].filter(([series]) => series.includes('controller="workspace-controller"'));
    assert.ok(counts.length > 0 && counts.every(([, count]) => count > 0));
    assert.equal(families.get("vendetta_nodes")!.series.get('vendetta_nodes{ready="true"}'), 1);
    assert.ok(families.get("vendetta_api_requests_total")!.series.get('vendetta_api_requests_total{verb="create",group="authorization.k8s.io",resource="selfsubjectaccessreviews",subresource="",code="201"}')! > 0);
  });
});
