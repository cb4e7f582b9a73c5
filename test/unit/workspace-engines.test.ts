import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { engineCauses, shrinkCauses } from "../../src/api/workspace-engines.ts";

type Parts = Parameters<typeof engineCauses>[0];
const checksum = `sha256:${"0f".repeat(32)}`;

const accepted: readonly Parts[] = [
  { provider: "host" },
  { provider: "docker", image: "registry.example:5000/team/app@sha256:0123" },
  { provider: "lxc", image: "busybox" },
  { provider: "lxc", image: "debian:bookworm" },
  { provider: "lxc", image: "download:alpine/3.20" },
  { provider: "lxc", image: "/srv/rootfs.tar.xz", imageChecksum: checksum, lxc: { network: "empty" } },
  { provider: "qemu", image: "https://example.com/debian-12.qcow2", imageChecksum: checksum },
  { provider: "qemu", image: "/srv/debian.qcow2", qemu: { machine: "q35", packages: ["git"] } },
  { provider: "qemu", qemu: { kernel: "/boot/vmlinuz", initrd: "/srv/initrd", append: "quiet", machine: "microvm" } },
];

const refused: readonly (readonly [Parts, field: string, words: string])[] = [
  [{ provider: "docker" }, "spec.image", "is required for provider docker"],
  [{ provider: "qemu", qemu: { machine: "q35" } }, "spec.image", "is required for provider qemu unless spec.qemu.kernel is set"],
  [{ provider: "docker", image: "/srv/rootfs.tar" }, "spec.image", '"/srv/rootfs.tar" must be an image reference such as node:20 or registry.example/team/app:1.2'],
  [{ provider: "qemu", image: "debian:bookworm" }, "spec.image", '"debian:bookworm" must be an absolute path on the node, or a URL (http or https), of a disk image'],
  [{ provider: "qemu", image: "/srv/../etc/shadow" }, "spec.image", '"/srv/../etc/shadow" must be an absolute path on the node, or a URL (http or https), of a disk image'],
  [{ provider: "qemu", image: "file:///srv/a.qcow2" }, "spec.image", '"file:///srv/a.qcow2" must be an absolute path on the node, or a URL (http or https), of a disk image'],
  [{ provider: "lxc", image: "Debian" }, "spec.image", '"Debian" must be a template such as debian:bookworm, or an absolute path on the node or a URL (http or https) of a root file system'],
  [{ provider: "lxc", image: "-f" }, "spec.image", '"-f" must be a template such as debian:bookworm, or an absolute path on the node or a URL (http or https) of a root file system'],
  [{ provider: "lxc", image: "busybox", imageChecksum: checksum }, "spec.imageChecksum", "is for an image that is a file or a URL; a reference to a registry has its digest after '@'"],
  [{ provider: "lxc", image: "busybox", docker: {} }, "spec.docker", "is for provider docker; this Workspace's provider is lxc"],
  [{ provider: "docker", image: "busybox", qemu: {} }, "spec.qemu", "is for provider qemu; this Workspace's provider is docker"],
  [{ provider: "lxc", image: "busybox", lxc: { network: "empty", bridge: "br0" } }, "spec.lxc.bridge", "cannot be joined with spec.lxc.network empty"],
  [{ provider: "qemu", image: "/a", qemu: { append: "quiet" } }, "spec.qemu.append", "is for spec.qemu.kernel, which is not set"],
  [{ provider: "qemu", image: "/a", qemu: { disks: [{ name: "vol1", size: "1Gi" }] } }, "spec.qemu.disks[0].name", "vol1 is how the machine's own disks are known inside it; choose another name"],
  [{ provider: "qemu", image: "/a", qemu: { disks: [{ name: "a", size: "1Gi" }, { name: "a", size: "2Gi" }] } }, "spec.qemu.disks[1].name", "is named twice: a"],
  [{ provider: "qemu", image: "/a", qemu: { machine: "microvm" } }, "spec.qemu.machine", "microvm has no boot loader: set spec.qemu.kernel, or use q35"],
];

describe("what an engine is asked for", () => {
  for (const parts of accepted) test(`${JSON.stringify(parts)} is accepted`, () => assert.deepEqual(engineCauses(parts), []));
  for (const [parts, field, words] of refused) {
    test(`${JSON.stringify(parts)} is refused`, () => assert.deepEqual(engineCauses(parts).map((cause) => [cause.field, cause.message]), [[field, words]]));
  }
});

describe("a machine's disks", () => {
  const machine = (disk: string | undefined, ...sizes: string[]) => ({ provider: "qemu" as const, image: "/a", resources: { disk }, qemu: { disks: sizes.map((size, i) => ({ name: `d${i}`, size })) } });
  const fields = (now: ReturnType<typeof machine>, old: ReturnType<typeof machine>) => shrinkCauses(now, old).map(({ field }) => field);
  test("grow, and stay when nobody says how large they are", () => {
    assert.deepEqual(fields(machine("20Gi", "2Gi", "1Gi"), machine("10Gi", "1024Mi")), []);
    assert.deepEqual([...fields(machine(undefined), machine("10Gi", "1Gi")), ...fields(machine("10Gi"), machine(undefined))], []);
    assert.deepEqual(shrinkCauses({ provider: "docker", image: "a", resources: { disk: "1Gi" } }, { provider: "docker", image: "a", resources: { disk: "2Gi" } }), [], "a container's is a limit");
  });
  test("do not shrink", () => {
    assert.deepEqual(fields(machine("9Gi", "1Gi", "1Gi"), machine("10Gi", "1Gi", "1.5Gi")), ["spec.resources.disk", "spec.qemu.disks[1].size"]);
    assert.match(shrinkCauses(machine("9Gi"), machine("10Gi"))[0]!.message, /^cannot shrink \(from 10Gi to 9Gi\)/);
  });
});
