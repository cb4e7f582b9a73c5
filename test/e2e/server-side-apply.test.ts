import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { createKubectlApp, type KubectlApp } from "../harness/kubectl-app.ts";
import { kubectlUnavailable } from "../harness/kubectl.ts";
import type { ProgramResult } from "../harness/program.ts";

const service = (spec: object, labels: object = { app: "x" }) => JSON.stringify({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "web", labels }, spec: { workspace: "dev", command: ["run"], dependsOn: [{ name: "db" }], ...spec } });
const web = "services.vendetta.dev/web";
const applied: ProgramResult = { code: 0, stdout: "service.vendetta.dev/web serverside-applied\n", stderr: "" };

describe("stock kubectl and server-side apply", { skip: kubectlUnavailable() ?? false, timeout: 120_000 }, () => {
  let kubectl: KubectlApp;
  beforeEach(async () => {
    kubectl = await createKubectlApp();
  });
  afterEach(() => kubectl.dispose());

  const apply = (manifest: string, ...args: readonly string[]) => kubectl.run(["apply", "-f", "-", ...args], { stdin: manifest });
  const serverSide = (manifest: string, ...args: readonly string[]) => apply(manifest, "--server-side", ...args);
  const stored = () => kubectl.server.store.get("Service", { namespace: "default", name: "web" });
  const owners = async () => ((await stored()).metadata.managedFields ?? []).map((entry) => `${(entry as any).manager} ${(entry as any).operation}`).sort();

  it("applies, and again without a change", async () => {
    assert.deepEqual(await serverSide(service({ port: 80 })), applied);
    const { resourceVersion } = (await stored()).metadata;
    assert.deepEqual(await serverSide(service({ port: 80 })), applied);
    assert.equal((await stored()).metadata.resourceVersion, resourceVersion);
  });

  it("shows who owns what only when asked", { skip: kubectlUnavailable(21) ?? false }, async () => {
    await serverSide(service({ port: 80 }));
    const yaml = async (...args: readonly string[]) => (await kubectl.run(["get", web, "-o", "yaml", ...args])).stdout;
    assert.equal((await yaml()).includes("managedFields"), false);
    assert.match(await yaml("--show-managed-fields"), /k:\{"name":"db"\}:\n +\.: \{\}\n +f:name: \{\}\n[^]*manager: kubectl\n +operation: Apply/);
  });

  it("a conflict ends with kubectl's advice; --force-conflicts takes the field", async () => {
    await serverSide(service({ port: 80 }));
    const { code, stdout, stderr } = await serverSide(service({ port: 81 }), "--field-manager=other");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: Apply failed with 1 conflict: conflict with "kubectl": \.spec\.port\nPlease review the fields above--they currently have other managers\./);
    assert.deepEqual(await serverSide(service({ port: 81 }), "--field-manager=other", "--force-conflicts"), applied);
    assert.equal((await stored()).spec.port, 81);
    // What both have named stays when one of them lets go.
    assert.deepEqual(await serverSide(service({}, {})), applied);
    assert.deepEqual([(await stored()).spec.port, (await stored()).metadata.labels], [81, { app: "x" }]);
  });

  it("diff --server-side shows what would come, and changes nothing", { skip: kubectlUnavailable(21) ?? false }, async () => {
    await serverSide(service({ port: 80 }));
    const before = await stored();
    const { code, stdout } = await kubectl.run(["diff", "--server-side", "-f", "-"], { stdin: service({ port: 81 }) });
    assert.equal(code, 1);
    assert.deepEqual(stdout.split("\n").filter((line) => /^[-+] /.test(line)), ["-  generation: 1", "+  generation: 2", "-  port: 80", "+  port: 81"]);
    assert.equal((await kubectl.run(["diff", "--server-side", "-f", "-"], { stdin: service({ port: 80 }) })).code, 0);
    assert.deepEqual(await stored(), before);
  });

  it("label, patch and edit own what they change", async () => {
    await serverSide(service({ port: 80 }));
    assert.equal((await kubectl.run(["label", web, "tier=front"])).stdout, "service.vendetta.dev/web labeled\n");
    assert.equal((await kubectl.run(["patch", web, "--type=json", "-p", '[{"op":"replace","path":"/spec/port","value":82}]'])).stdout, "service.vendetta.dev/web patched\n");
    assert.equal((await kubectl.run(["edit", web], { env: { EDITOR: "sed -i 's/^  - run$/  - walk/'" } })).stdout, "service.vendetta.dev/web edited\n");
    const { spec, metadata } = await stored();
    assert.deepEqual([spec.port, spec.command, metadata.labels], [82, ["walk"], { app: "x", tier: "front" }]);
    assert.deepEqual(await owners(), ["kubectl Apply", "kubectl-edit Update", "kubectl-label Update", "kubectl-patch Update"]);
    assert.match((await serverSide(service({ port: 80 }))).stderr, /Apply failed with 2 conflicts: conflicts with "kubectl-edit" using vendetta\.dev\/v1alpha1:\n- \.spec\.command\nconflicts with "kubectl-patch" using vendetta\.dev\/v1alpha1:\n- \.spec\.port/);
  });

  it("goes over from client-side apply, takes fields out afterwards, and goes back", { skip: kubectlUnavailable(26) ?? false }, async () => {
    assert.equal((await apply(service({ port: 80 }))).stdout, "service.vendetta.dev/web created\n");
    assert.deepEqual(await owners(), ["kubectl-client-side-apply Update"]);
    assert.deepEqual(await serverSide(service({ port: 81 })), applied);
    assert.deepEqual(await owners(), ["kubectl Apply", "kubectl-last-applied Apply"]);
    assert.deepEqual(await serverSide(service({})), applied);
    assert.equal((await stored()).spec.port, undefined);
    assert.equal((await apply(service({ port: 83 }))).stdout, "service.vendetta.dev/web configured\n");
    assert.equal((await stored()).spec.port, 83);
    assert.equal((await apply(service({}))).stdout, "service.vendetta.dev/web configured\n");
    assert.equal((await stored()).spec.port, undefined);
  });

  it("takes turns with the vendetta command line's manager", async () => {
    await kubectl.server.store.patch("Service", { namespace: "default", name: "web" }, { type: "apply", patch: { ...JSON.parse(service({ port: 80 })), metadata: { name: "web" } } }, { fieldManager: "kubectl" });
    assert.deepEqual(await serverSide(service({ port: 81 })), applied);
    assert.deepEqual([(await stored()).spec.port, await owners()], [81, ["kubectl Apply"]]);
  });
});
