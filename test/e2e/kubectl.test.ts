import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable, type Kubectl } from "../harness/kubectl.ts";
import { writeManifests } from "./stack.ts";

const older = kubectlUnavailable(32) ?? false;

describe("stock kubectl", { skip: kubectlUnavailable() ?? false }, () => {
  let cli: TestCli;
  let kubectl: Kubectl;

  const manifest = (spec: object = {}, metadata: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "dev", namespace: "team", ...metadata }, spec: { provider: "host", ...spec } });
  const service = (name: string, spec: object = {}) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace: "team", labels: { app: "shop", part: name } }, spec: { workspace: "dev", command: ["sleep", "1000"], ...spec } });
  const file = (name: string, ...objects: readonly object[]) => writeManifests(cli.home, name, objects);
  /** Lines of a table, cells split at two blanks or more. */
  const rows = (table: string) => table.trimEnd().split("\n").map((line) => line.trimEnd().split(/\s{2,}/));
  const json = async (...args: readonly string[]): Promise<any> => JSON.parse(await kubectl.ok("-n", "team", "get", ...args, "-o", "json"));

  before(async () => {
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    kubectl = await createKubectl(cli);
  });
  after(async () => {
    await kubectl?.dispose();
    await cli?.dispose();
  });

  it("finds its way: version, cluster-info, api-resources, api-versions", async () => {
    assert.match((await kubectl.run(["version"])).stdout, /Server Version: .*vendetta/);
    assert.match(await kubectl.ok("cluster-info"), /control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/);
    const resources = rows(await kubectl.ok("api-resources"));
    const names = resources.map((row) => row[0]);
    for (const name of ["events", "namespaces", "pods", "leases", "nodes", "services", "workspaces", "selfsubjectaccessreviews"]) assert.ok(names.includes(name), `${name} in ${names.join(" ")}`);
    assert.equal(names.filter((name) => name === "nodes").length >= 1, true);
    if (older === false) assert.match(await kubectl.ok("api-resources", "--categories=vendetta", "-o", "name"), /^nodes\.vendetta\.dev\nservices\.vendetta\.dev\nsources\.vendetta\.dev\nworkspaces\.vendetta\.dev\n$/);
    const versions = (await kubectl.ok("api-versions")).split("\n");
    for (const each of ["v1", "vendetta.dev/v1alpha1", "coordination.k8s.io/v1", "authorization.k8s.io/v1"]) assert.ok(versions.includes(each), each);
    assert.equal(await kubectl.ok("get", "--raw", "/readyz"), "ok");
    assert.match(await kubectl.ok("get", "--raw", "/metrics"), /^# HELP /m);
  });

  it("asks who it is and what it may", { skip: older }, async () => {
    assert.match(await kubectl.ok("auth", "whoami"), /vendetta-admin/);
    assert.equal(await kubectl.ok("auth", "can-i", "create", "workspaces"), "yes\n");
    assert.match(await kubectl.ok("auth", "can-i", "--list"), /Resources/);
  });

  it("explains every kind", { skip: older }, async () => {
    assert.match(await kubectl.ok("explain", "workspace"), /KIND:\s+Workspace\nVERSION:\s+vendetta\.dev\/v1alpha1|GROUP:\s+vendetta\.dev/);
    assert.match(await kubectl.ok("explain", "service.spec.healthCheck.http.path"), /FIELD: path <string>/);
    const recursive = await kubectl.ok("explain", "workspace.spec", "--recursive");
    for (const field of ["provider", "mounts", "hostPath", "resources", "memory", "tolerations"]) assert.match(recursive, new RegExp(`\\b${field}\\b`));
  });

  it("makes namespaces, labels and annotates them", async () => {
    assert.equal(await kubectl.ok("create", "namespace", "team"), "namespace/team created\n");
    assert.match(await kubectl.fails("create", "namespace", "team"), /Error from server \(AlreadyExists\): namespaces "team" already exists/);
    assert.equal(await kubectl.ok("label", "namespace", "team", "tier=dev"), "namespace/team labeled\n");
    assert.equal(await kubectl.ok("annotate", "namespace", "team", "note=hello"), "namespace/team annotated\n");
    assert.deepEqual(rows(await kubectl.ok("get", "namespaces", "-l", "tier=dev")).map((row) => row.slice(0, 2)), [["NAME", "STATUS"], ["team", "Active"]]);
  });

  it("applies, shows differences, applies again", async () => {
    const path = file("dev.yaml", manifest(), service("web"), service("job"));
    const before = await kubectl.run(["diff", "-f", path]);
    assert.equal(before.code, 1, before.stderr);
    assert.match(before.stdout, /^\+kind: Workspace$/m);
    assert.equal(await kubectl.ok("apply", "-f", path), "workspace.vendetta.dev/dev created\nservice.vendetta.dev/web created\nservice.vendetta.dev/job created\n");
    assert.equal(await kubectl.ok("apply", "-f", path), "workspace.vendetta.dev/dev unchanged\nservice.vendetta.dev/web unchanged\nservice.vendetta.dev/job unchanged\n");
    assert.deepEqual(await kubectl.run(["diff", "-f", path]), { code: 0, stdout: "", stderr: "" });
    assert.match(await kubectl.ok("-n", "team", "wait", "--for=condition=Ready", "workspace/dev", "service/web", "--timeout=30s"), /workspace\.vendetta\.dev\/dev condition met\nservice\.vendetta\.dev\/web condition met/);
    const changed = file("changed.yaml", manifest({ env: { A: "1" } }), service("web"), service("job", { terminationGracePeriodSeconds: 3 }));
    assert.match((await kubectl.run(["diff", "-f", changed])).stdout, /^\+ {2}terminationGracePeriodSeconds: 3$/m);
    assert.match(await kubectl.ok("apply", "-f", changed, "--dry-run=server"), /service\.vendetta\.dev\/job configured \(server dry run\)/);
    assert.equal(await kubectl.ok("apply", "-f", changed), "workspace.vendetta.dev/dev configured\nservice.vendetta.dev/web unchanged\nservice.vendetta.dev/job configured\n");
    assert.equal((await json("service", "job")).spec.terminationGracePeriodSeconds, 3);
  });

  it("prints tables, wide ones, names, paths and columns", async () => {
    const [head, ...services] = rows(await kubectl.ok("-n", "team", "get", "svc"));
    assert.deepEqual(head!.slice(0, 4), ["NAME", "READY", "STATUS", "WORKSPACE"]);
    assert.deepEqual(services.map((row) => row[0]), ["job", "web"]);
    assert.ok(!head!.includes("PID"));
    assert.ok(rows(await kubectl.ok("-n", "team", "get", "svc", "-o", "wide"))[0]!.includes("PID"));
    assert.deepEqual((await kubectl.ok("-n", "team", "get", "vendetta", "-o", "name")).split("\n").filter((each) => !each.startsWith("node.")).sort(), ["", "service.vendetta.dev/job", "service.vendetta.dev/web", "workspace.vendetta.dev/dev"]);
    assert.equal(await kubectl.ok("-n", "team", "get", "ws", "dev", "-o", "jsonpath={.spec.provider}"), "host");
    assert.match(await kubectl.ok("-n", "team", "get", "svc", "-o", "custom-columns=N:.metadata.name,W:.spec.workspace"), /^N\s+W\njob\s+dev\nweb\s+dev\n$/);
    assert.match(await kubectl.ok("get", "svc", "-A", "--sort-by=.metadata.name", "--show-labels"), /NAMESPACE .*LABELS\nteam +job .*app=shop,part=job\nteam +web/);
    assert.match(await kubectl.ok("-n", "team", "get", "svc", "-l", "part in (web),app!=x", "-o", "name"), /^service\.vendetta\.dev\/web\n$/);
    assert.match(await kubectl.ok("-n", "team", "get", "svc", "--field-selector=spec.workspace=dev,metadata.name!=web", "-o", "name"), /^service\.vendetta\.dev\/job\n$/);
    assert.equal((await kubectl.ok("-n", "team", "get", "svc", "--chunk-size=1", "-o", "name")).trim().split("\n").length, 2);
    if (older === false) assert.equal((await json("svc", "web", "--subresource=status")).kind, "Service");
    assert.match((await kubectl.run(["-n", "nowhere", "get", "svc"])).stderr, /^No resources found in nowhere namespace\.$/m);
    assert.match(await kubectl.fails("-n", "team", "get", "svc", "absent"), /^Error from server \(NotFound\): services\.vendetta\.dev "absent" not found$/m);
    assert.match(await kubectl.fails("-n", "team", "get", "svc", "--field-selector=spec.bogus=1"), /^Error from server \(BadRequest\): .*field label not supported: spec\.bogus/m);
    assert.match(await kubectl.fails("get", "bogus"), /the server doesn't have a resource type "bogus"/);
  });

  it("describes, with events", async () => {
    const text = await kubectl.ok("-n", "team", "describe", "svc", "web");
    assert.match(text, /^Name: +web$/m);
    assert.match(text, /^ {2}Workspace: +dev$/m);
    assert.match(text, /^Events:\n {2}Type +Reason +Age +From +Message\n[^]*Started/m);
    assert.match(await kubectl.ok("-n", "team", "get", "events"), /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE/);
    assert.match(await kubectl.ok("-n", "team", "get", "events", "--sort-by=.lastTimestamp"), /Started/);
    if (older === false) assert.match(await kubectl.ok("-n", "team", "events", "--for", "service.vendetta.dev/web"), /Started/);
  });

  it("follows a watch", async () => {
    const watching = kubectl.start(["-n", "team", "get", "svc", "-w", "-l", "part=web", "-L", "seen"]);
    await eventually(() => assert.match(watching.said(), /^web /m), 20_000);
    assert.doesNotMatch(watching.said(), /^web .* yes$/m);
    await kubectl.ok("-n", "team", "label", "svc", "web", "seen=yes");
    await eventually(() => assert.match(watching.said(), /^web .* yes$/m), 20_000);
    await watching.end();
  });

  it("changes objects: patch, label, annotate, edit, replace", async () => {
    assert.equal(await kubectl.ok("-n", "team", "patch", "svc", "job", "--type=merge", "-p", '{"spec":{"terminationGracePeriodSeconds":4}}'), "service.vendetta.dev/job patched\n");
    assert.equal(await kubectl.ok("-n", "team", "patch", "svc", "job", "--type=json", "-p", '[{"op":"replace","path":"/spec/terminationGracePeriodSeconds","value":5}]'), "service.vendetta.dev/job patched\n");
    assert.match(await kubectl.fails("-n", "team", "patch", "svc", "job", "--type=json", "-p", '[{"op":"test","path":"/spec/terminationGracePeriodSeconds","value":1}]'), /the server rejected our request due to an error in our request|is invalid|Invalid/);
    assert.match(await kubectl.fails("-n", "team", "patch", "svc", "job", "-p", "{}"), older === false ? /application\/strategic-merge-patch\+json is not supported by vendetta\.dev\/v1alpha1, Kind=Service/ : /UnsupportedMediaType.*application\/strategic-merge-patch\+json/);
    assert.match(await kubectl.ok("-n", "team", "patch", "svc", "job", "--type=merge", "-p", "{}"), /patched \(no change\)/);
    assert.equal(await kubectl.ok("-n", "team", "label", "svc", "job", "new=1"), "service.vendetta.dev/job labeled\n");
    assert.match(await kubectl.fails("-n", "team", "label", "svc", "job", "new=2"), /already has a value \(1\), and --overwrite is false/);
    assert.match(await kubectl.ok("-n", "team", "label", "svc", "job", "new-"), older === false ? /^service\.vendetta\.dev\/job unlabeled\n$/ : /^service\.vendetta\.dev\/job labeled\n$/);
    const edited = await kubectl.run(["-n", "team", "edit", "svc", "job"], { env: { KUBE_EDITOR: "sed -i 's/terminationGracePeriodSeconds: 5/terminationGracePeriodSeconds: 6/'" } });
    assert.deepEqual([edited.code, edited.stdout], [0, "service.vendetta.dev/job edited\n"], edited.stderr);
    const current = await json("svc", "job");
    assert.equal(current.spec.terminationGracePeriodSeconds, 6);
    current.spec.terminationGracePeriodSeconds = 7;
    // Older ones print it unasked.
    delete current.metadata.managedFields;
    const replacement = file("replace.yaml", current);
    assert.equal(await kubectl.ok("replace", "-f", replacement), "service.vendetta.dev/job replaced\n");
    assert.match(await kubectl.fails("replace", "-f", replacement), /Error from server \(Conflict\): .*the object has been modified/);
  });

  it("is told what is wrong, as by a cluster", async () => {
    const bogus = file("bogus.yaml", service("bogus", { bogus: 1 }));
    assert.match(await kubectl.fails("apply", "-f", bogus), older === false ? /unknown field "spec\.bogus"/ : /ValidationError\(Service\.spec\): unknown field "bogus"/);
    const wrong = file("wrong.yaml", service("wrong", { port: 99999 }));
    assert.match(await kubectl.fails("create", "-f", wrong), /The Service "wrong" is invalid: spec\.port: .*between 1 and 65535/);
    const cycle = file("cycle.yaml", service("a", { dependsOn: [{ name: "b" }] }), service("b", { dependsOn: [{ name: "a" }] }));
    assert.match(await kubectl.fails("apply", "-f", cycle), /dependency cycle/);
    assert.match(await kubectl.fails("apply", "-f", file("ns.yaml", { ...manifest(), metadata: { name: "dev", namespace: "absent" } })), /namespaces "absent" not found/);
    await kubectl.ok("-n", "team", "delete", "svc", "a", "--ignore-not-found");
  });

  it("applies on the server: owners, conflicts, force", { skip: older }, async () => {
    const path = file("ssa.yaml", service("owned", { env: { A: "1" }, terminationGracePeriodSeconds: 5 }));
    assert.equal(await kubectl.ok("apply", "--server-side", "-f", path), "service.vendetta.dev/owned serverside-applied\n");
    const other = file("other.yaml", service("owned", { terminationGracePeriodSeconds: 9 }));
    assert.match(await kubectl.fails("apply", "--server-side", "--field-manager=robot", "-f", other), /Apply failed with 1 conflict: conflict with "kubectl": \.spec\.terminationGracePeriodSeconds/);
    assert.equal(await kubectl.ok("apply", "--server-side", "--field-manager=robot", "--force-conflicts", "-f", other), "service.vendetta.dev/owned serverside-applied\n");
    const managers = (await json("svc", "owned", "--show-managed-fields")).metadata.managedFields as { manager: string; operation: string }[];
    assert.deepEqual(managers.filter((each) => each.operation === "Apply").map((each) => each.manager).sort(), ["kubectl", "robot"]);
    assert.equal((await kubectl.run(["diff", "--server-side", "--field-manager=robot", "-f", other])).code, 0);
    // From client-side apply: what was applied that way is the server-side applier's without a conflict.
    const moved = file("moved.yaml", service("job", { terminationGracePeriodSeconds: 8 }));
    await kubectl.ok("apply", "-f", moved);
    assert.match(await kubectl.ok("apply", "--server-side", "-f", file("moved2.yaml", service("job", { terminationGracePeriodSeconds: 9 }))), /serverside-applied/);
    assert.equal((await json("svc", "job")).spec.terminationGracePeriodSeconds, 9);
  });

  it("prunes what is in no manifest any more", { skip: older }, async () => {
    const both = file("set.yaml", service("kept"), service("gone"));
    await kubectl.ok("apply", "-n", "team", "-f", both, "--prune", "-l", "part in (kept,gone)", "--prune-allowlist=vendetta.dev/v1alpha1/Service");
    const kept = file("set.yaml", service("kept"));
    assert.match(await kubectl.ok("apply", "-n", "team", "-f", kept, "--prune", "-l", "part in (kept,gone)", "--prune-allowlist=vendetta.dev/v1alpha1/Service"), /service\.vendetta\.dev\/kept unchanged\nservice\.vendetta\.dev\/gone pruned/);
  });

  it("deletes, alone, all, and with the namespace", async () => {
    assert.equal(await kubectl.ok("-n", "team", "delete", "svc", "web"), 'service.vendetta.dev "web" deleted\n');
    assert.match(await kubectl.fails("-n", "team", "delete", "svc", "web"), /NotFound/);
    assert.match(await kubectl.ok("-n", "team", "delete", "svc", "--all"), /"job" deleted/);
    assert.equal(await kubectl.ok("delete", "namespace", "team"), 'namespace "team" deleted\n');
    assert.match(await kubectl.fails("get", "namespace", "team"), /namespaces "team" not found/);
    assert.match((await kubectl.run(["get", "ws", "-A"])).stderr, /No resources found/);
  });
});
