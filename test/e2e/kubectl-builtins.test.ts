import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable, type Kubectl } from "../harness/kubectl.ts";
import { parsePrometheus } from "../harness/prometheus-text.ts";
import { writeManifests } from "./stack.ts";

const own = "vendetta.dev/v1alpha1";
const workspace = (name: string, metadata: object = {}) => ({ apiVersion: own, kind: "Workspace", metadata: { name, ...metadata }, spec: { provider: "host" } });

describe("what kubectl assumes of every cluster", { skip: kubectlUnavailable() ?? false, timeout: 180_000 }, () => {
  let cli: TestCli;
  let kubectl: Kubectl;

  before(async () => {
    // No Docker engine: what is tried here needs none.
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    kubectl = await createKubectl(cli);
  });
  after(() => cli?.dispose());

  const apply = (name: string, ...items: object[]) => kubectl.ok("apply", "--validate=false", "-f", writeManifests(cli.home, `${name}.yaml`, [{ apiVersion: "v1", kind: "List", items }]));

  it("auth whoami", { skip: kubectlUnavailable(28) ?? false }, async () => {
    assert.match(await kubectl.ok("auth", "whoami"), /Username\s+vendetta-admin\nGroups\s+\[system:masters system:authenticated\]/);
  });

  it("auth can-i", async () => {
    assert.equal(await kubectl.ok("auth", "can-i", "create", "workspaces"), "yes\n");
    assert.equal(await kubectl.ok("auth", "can-i", "delete", "namespaces"), "yes\n");
    const no = await kubectl.run(["auth", "can-i", "deletecollection", "namespaces"]);
    assert.deepEqual([no.code, no.stdout.slice(0, 47)], [1, 'no - namespaces has no verb "deletecollection":']);
    assert.match(await kubectl.ok("auth", "can-i", "--list"), /workspaces\.vendetta\.dev +\[\] +\[\] +\[create delete deletecollection get list patch update watch\]/);
  });

  it("a namespace: create, label, annotate, patch, edit, delete with what is in it", async () => {
    assert.equal(await kubectl.ok("create", "namespace", "team"), "namespace/team created\n");
    assert.match(await kubectl.fails("create", "namespace", "team"), /namespaces "team" already exists/);
    await kubectl.ok("label", "namespace", "team", "a=1");
    await kubectl.ok("annotate", "namespace", "team", "note=x");
    await kubectl.ok("patch", "namespace", "team", "-p", '{"metadata":{"labels":{"b":"2"}}}');
    const edited = await kubectl.run(["edit", "namespace", "team", "--validate=false"], { env: { EDITOR: `sed -i 's/^  labels:/  labels:\\n    edited: "yes"/'` } });
    assert.equal(edited.stdout, "namespace/team edited\n", edited.stderr);
    assert.equal(await kubectl.ok("get", "namespace", "team", "-o", "jsonpath={.metadata.labels.a}{.metadata.labels.b}{.metadata.labels.edited}{.metadata.annotations.note}"), "12yesx");
    await apply("in-team", workspace("dev", { namespace: "team" }), { apiVersion: own, kind: "Service", metadata: { name: "web", namespace: "team" }, spec: { workspace: "dev", command: ["sleep", "100000"] } });
    await eventually(async () => assert.equal(await kubectl.ok("-n", "team", "get", "service.vendetta.dev", "web", "-o", "jsonpath={.status.phase}"), "Running"), 30_000);
    assert.equal(await kubectl.ok("delete", "namespace", "team"), 'namespace "team" deleted\n');
    assert.match(await kubectl.fails("get", "namespace", "team"), /namespaces "team" not found/);
    assert.match(await kubectl.ok("get", "workspaces", "-A"), /^$/);
    for (const name of ["default", "kube-system"]) assert.match(await kubectl.fails("delete", "namespace", name), new RegExp(`Error from server \\(Forbidden\\): namespaces "${name}" is forbidden: this namespace may not be deleted`));
  });

  it("deletion: in the foreground, in the background, leaving orphans, dry, of all", async () => {
    const uid = async (name: string) => await kubectl.ok("get", "workspace", name, "-o", "jsonpath={.metadata.uid}");
    const owned = async (name: string, owner: string) => workspace(name, { ownerReferences: [{ apiVersion: own, kind: "Workspace", name: owner, uid: await uid(owner), blockOwnerDeletion: true }] });
    await apply("owners", workspace("a"), workspace("b"), workspace("c"));
    await apply("owned", await owned("of-a", "a"), await owned("of-b", "b"), await owned("of-c", "c"));
    const names = async () => (await kubectl.ok("get", "workspaces", "-o", "name")).trim().split("\n").map((each) => each.split("/")[1]).sort();
    await kubectl.ok("delete", "workspace", "a", "--dry-run=server");
    assert.deepEqual(await names(), ["a", "b", "c", "of-a", "of-b", "of-c"]);
    await kubectl.ok("delete", "workspace", "a", "--cascade=foreground");
    assert.deepEqual(await names(), ["b", "c", "of-b", "of-c"], "when the owner has gone, so have its dependents");
    await kubectl.ok("delete", "workspace", "b", "--cascade=orphan");
    assert.deepEqual(await names(), ["c", "of-b", "of-c"]);
    assert.equal(await kubectl.ok("get", "workspace", "of-b", "-o", "jsonpath={.metadata.ownerReferences}"), "");
    await kubectl.ok("delete", "workspace", "c");
    await eventually(async () => assert.deepEqual(await names(), ["of-b"]), 30_000);
    await kubectl.ok("delete", "workspaces", "--all");
    assert.match((await kubectl.run(["get", "workspaces"])).stderr, /No resources found in default namespace/);
  });

  it("events, also of one object, by time, and in describe", async () => {
    await apply("told", workspace("told"));
    await eventually(async () => assert.match(await kubectl.ok("get", "events", "--sort-by=.lastTimestamp"), /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.* +Normal +Started +workspace\/told +started/), 30_000);
    if (kubectlUnavailable(26) === undefined) assert.match(await kubectl.ok("events", "--for", "workspace/told"), /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.* +Normal +Started +Workspace\/told +started/);
    assert.match(await kubectl.ok("get", "events", "-o", "wide"), /^LAST SEEN +TYPE +REASON +OBJECT +SUBOBJECT +SOURCE +MESSAGE +FIRST SEEN +COUNT +NAME\n/);
    assert.match(await kubectl.ok("describe", "workspace", "told"), /Events:\n(.*\n)*.*Normal +Started .*vendetta +started/);
    await kubectl.ok("delete", "workspace", "told");
  });

  it("leases", async () => {
    await apply("lease", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", labels: { a: "1" } }, spec: { holderIdentity: "me", leaseDurationSeconds: 15, renewTime: "2026-01-31T12:00:00.000000Z" } });
    await apply("lease", { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "leader", labels: { a: "1" } }, spec: { holderIdentity: "you", leaseDurationSeconds: 15, renewTime: "2026-01-31T12:00:00.000000Z" } });
    assert.match(await kubectl.ok("get", "leases", "-A"), /^NAMESPACE +NAME +HOLDER +AGE\ndefault +leader +you/);
    await kubectl.ok("delete", "lease", "leader");
  });

  it("metrics", async () => {
    const families = parsePrometheus(await kubectl.ok("get", "--raw", "/metrics"));
    const counts = [...families.get("vendetta_reconciles_total")!.series].filter(([series]) => series.includes('controller="workspace-controller"'));
    assert.ok(counts.length > 0 && counts.every(([, count]) => count > 0));
    assert.equal(families.get("vendetta_nodes")!.series.get('vendetta_nodes{ready="true"}'), 1);
    assert.ok(families.get("vendetta_api_requests_total")!.series.get('vendetta_api_requests_total{verb="create",group="authorization.k8s.io",resource="selfsubjectaccessreviews",subresource="",code="201"}')! > 0);
  });
});
