import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { changeEffect } from "../../src/api/change-effect.ts";
import type { AnyObject } from "../../src/api/registry.ts";
import { parseObject } from "../../src/api/validate.ts";

function object(kind: "Workspace" | "Service", spec: object, labels: Readonly<Record<string, string>> = {}): AnyObject {
  const { metadata, body } = parseObject(kind, { apiVersion: "vendetta.dev/v1alpha1", kind, metadata: { name: "a", namespace: "default", labels }, spec });
  return { ...body, metadata } as unknown as AnyObject;
}
const machine = { provider: "qemu", image: "/images/a.qcow2", resources: { disk: "10Gi" }, qemu: { disks: [{ name: "data", size: "1Gi" }] } };
const container = { provider: "docker", image: "busybox:1.36" };
const service = { workspace: "w", command: ["run"], env: { A: "1" } };

describe("what a change does to what runs", () => {
  const table: readonly [string, AnyObject, AnyObject, RegExp | undefined][] = [
    ["a label", object("Workspace", container), object("Workspace", container, { team: "a" }), undefined],
    ["another image", object("Workspace", container), object("Workspace", { ...container, image: "busybox:1.37" }), /made anew \(image changed\), volumes are kept/],
    ["a published port of a container", object("Workspace", container), object("Workspace", { ...container, ports: [{ port: 80 }] }), /made anew \(ports changed\)/],
    ["a published port of a machine", object("Workspace", machine), object("Workspace", { ...machine, ports: [{ port: 80 }] }), undefined],
    ["a larger disk of a machine", object("Workspace", machine), object("Workspace", { ...machine, resources: { disk: "20Gi" } }), /^its disks grow$/],
    ["a larger disk beside it", object("Workspace", machine), object("Workspace", { ...machine, qemu: { disks: [{ name: "data", size: "2Gi" }] } }), /^its disks grow$/],
    ["one more disk", object("Workspace", machine), object("Workspace", { ...machine, qemu: { disks: [{ name: "data", size: "1Gi" }, { name: "more", size: "1Gi" }] } }), /made anew \(qemu changed\)/],
    ["stopping", object("Workspace", container), object("Workspace", { ...container, state: "Stopped" }), /^it is stopped, with its Services$/],
    ["a Service's environment", object("Service", service), object("Service", { ...service, env: { A: "2" } }), /^it is restarted \(env changed\)$/],
    ["a Service's health check", object("Service", service), object("Service", { ...service, healthCheck: { exec: { command: ["true"] } } }), undefined],
  ];
  for (const [what, before, after, effect] of table) {
    it(what, () => {
      const said = changeEffect(before, after);
      if (effect === undefined) assert.equal(said, undefined);
      else assert.match(said ?? "", effect);
    });
  }
});
