import assert from "node:assert/strict";
import { it } from "node:test";
import { recreationAnnotation, restartedAtAnnotation } from "../../src/api/annotations.ts";
import { changeEffect } from "../../src/api/change-effect.ts";
import type { AnyObject } from "../../src/api/registry.ts";
import { specHashOf } from "../../controllers/workspace/instance-spec.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { storedObject } from "../harness/objects.ts";

const workspace = (spec: object = {}, metadata: object = {}) => storedObject("Workspace", "dev", { provider: "docker", image: "busybox", ...spec }, { metadata });
const machine = (disk: string, size: string) => workspace({ provider: "qemu", image: "/disk", resources: { disk }, qemu: { disks: [{ name: "data", size }] } });
const service = (spec: object = {}, metadata: object = {}) => storedObject("Service", "web", { workspace: "dev", command: ["run"], ...spec }, { metadata });

const table: readonly (readonly [what: string, before: AnyObject, after: AnyObject, effect: string | undefined])[] = [
  ["a label", service(), service({}, { labels: { a: "b" } }), undefined],
  ["a Service's env", service({ env: { A: "1" } }), service({ env: { A: "2" } }), "it is restarted (env changed)"],
  ["its command and directory", service(), service({ command: ["walk"], workingDir: "/x" }), "it is restarted (command, workingDir changed)"],
  ["its first port", service({ port: 80 }), service({ port: 81 }), "it is restarted (port changed)"],
  ["a further port", service({ ports: [{ name: "a", port: 80 }] }), service({ ports: [{ name: "a", port: 80 }, { name: "b", port: 81 }] }), undefined],
  ["its health check", service({ port: 80 }), service({ port: 80, healthCheck: { tcp: {} } }), undefined],
  ["what it depends on", service(), service({ dependsOn: [{ name: "db" }] }), "it is restarted if it is told another address (dependsOn changed)"],
  ["a wish to restart it", service(), service({}, { annotations: { [restartedAtAnnotation]: "now" } }), `it is restarted (annotation ${restartedAtAnnotation} changed)`],
  ["a Workspace's image", workspace(), workspace({ image: "alpine" }), "its instance is made anew (image changed), volumes are kept"],
  ["ports that Docker publishes", workspace(), workspace({ ports: [{ port: 80 }] }), "its instance is made anew (ports changed), volumes are kept"],
  ["ports of a virtual machine", workspace({ provider: "qemu", image: "/disk" }), workspace({ provider: "qemu", image: "/disk", ports: [{ port: 80 }] }), undefined],
  ["a virtual machine's larger disk", machine("10Gi", "1Gi"), machine("20Gi", "1Gi"), "its disks grow"],
  ["a larger one beside it", machine("10Gi", "1Gi"), machine("10Gi", "2Gi"), "its disks grow"],
  ["what is special to its engine", workspace(), workspace({ docker: { capAdd: ["SYS_PTRACE"] } }), "its instance is made anew (docker changed), volumes are kept"],
  ["a wish to make it anew", workspace(), workspace({}, { annotations: { [recreationAnnotation]: "1" } }), `its instance is made anew (annotation ${recreationAnnotation} changed), volumes are kept`],
  ["its stop", workspace(), workspace({ state: "Stopped" }), "it is stopped, with its Services"],
  ["its start", workspace({ state: "Stopped" }), workspace(), "it is started"],
  ["an image while it is stopped", workspace({ state: "Stopped" }), workspace({ state: "Stopped", image: "alpine" }), undefined],
  ["its grace period", workspace(), workspace({ terminationGracePeriodSeconds: 1 }), undefined],
];
for (const [what, before, after, effect] of table) {
  it(`${what}: ${effect ?? "touches no process"}`, () => assert.equal(changeEffect(before, after), effect));
}

it("an instance is said to be made anew exactly when its loop would do it", () => {
  for (const [what, before, after, effect] of table) {
    if (before.kind !== "Workspace" || before.spec.state === "Stopped" || (after as Workspace).spec.state === "Stopped") continue;
    const provider = before.spec.provider !== "qemu" ? {} : { publish: () => Promise.resolve(), growDisks: () => Promise.resolve() };
    const isAnew = specHashOf(before, provider as never) !== specHashOf(after as Workspace, provider as never);
    assert.equal(effect?.startsWith("its instance is made anew") ?? false, isAnew, what);
  }
});
