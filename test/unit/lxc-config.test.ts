import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertOwnNetwork, containerConfig, type ContainerConfig } from "../../src/providers/lxc/container-config.ts";
import { ProviderError } from "../../src/providers/provider.ts";

const plain: ContainerConfig = {
  hostname: "dev", haltSignal: "SIGPWR", initCommand: undefined, idMap: undefined, network: { kind: "empty" }, keepsNetworkAdmin: false,
  limits: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, mounts: [], consoleLog: "/d/console.log",
};
const linesOf = (more: Partial<ContainerConfig> = {}) => containerConfig({ ...plain, ...more }).split("\n");
const refused = (error: unknown) => error instanceof ProviderError && error.reason === "InvalidSpec";

describe("the config of a container", () => {
  it("has a network of its own, whichever it is", () => {
    assert.ok(linesOf().includes("lxc.net.0.type = empty"));
    const cable = linesOf({ network: { kind: "veth", bridge: "vl0", veth: "ve0", address: { ip: "10.64.0.2", gateway: "10.64.0.1" } } });
    for (const line of ["lxc.net.0.type = veth", "lxc.net.0.link = vl0", "lxc.net.0.ipv4.address = 10.64.0.2/24", "lxc.net.0.ipv4.gateway = 10.64.0.1"]) assert.ok(cable.includes(line), line);
    assert.ok(!linesOf({ network: { kind: "veth", bridge: "br0", veth: "ve0" } }).some((line) => line.includes("ipv4")), "DHCP is the container's business");
  });

  for (const [what, text] of [
    ["says the node's", "lxc.net.0.type = none\n"],
    ["says the node's among others", "lxc.net.0.type = veth\nlxc.net.1.type=none\n"],
    ["says none at all", "lxc.uts.name = dev\n"],
    ["moves a device of the node in", "lxc.net.0.type = phys\n"],
    ["shares another namespace", "lxc.net.0.type = veth\nlxc.namespace.share.net = 1\n"],
    ["keeps the node's namespace", "lxc.net.0.type = veth\nlxc.namespace.keep = net\n"],
    ["reads more from elsewhere", "lxc.net.0.type = veth\nlxc.include = /etc/lxc/default.conf\n"],
    ["speaks as older versions did", "lxc.net.0.type = veth\nlxc.network.type = none\n"],
    ["only mentions it in a comment", "# lxc.net.0.type = veth\n"],
  ] as const) {
    it(`is refused where a text ${what}: it would take the node offline`, () => assert.throws(() => assertOwnNetwork(text), refused));
  }

  it("takes no line break from anybody: it could say another network", () => {
    for (const more of [{ hostname: "dev\nlxc.net.0.type = none" }, { consoleLog: "/d\rx" }, { network: { kind: "veth", bridge: "b\nlxc.net.1.type = none", veth: "v" } as const }]) assert.throws(() => linesOf(more), refused);
    const mounted = linesOf({ mounts: [{ kind: "tmpfs", target: "/a b\nlxc.net.0.type = none", sizeBytes: 1 }] });
    assert.equal(mounted.filter((line) => line.startsWith("lxc.net")).length, 2, "a target's are written as fstab writes them");
  });

  it("writes limits of both cgroup versions", () => {
    const lines = linesOf({ limits: { cpus: 1.5, memoryBytes: 1024, pidsMax: 20 } }).filter((line) => line.startsWith("lxc.cgroup") && !line.includes("devices"));
    assert.deepEqual(lines, [
      "lxc.cgroup.cpu.cfs_period_us = 100000", "lxc.cgroup.cpu.cfs_quota_us = 150000", "lxc.cgroup2.cpu.max = 150000 100000",
      "lxc.cgroup.memory.limit_in_bytes = 1024", "lxc.cgroup2.memory.max = 1024", "lxc.cgroup.pids.max = 20", "lxc.cgroup2.pids.max = 20",
    ]);
    assert.ok(!linesOf({ idMap: { uidStart: 1, gidStart: 1, count: 65536 } }).some((line) => line.startsWith("lxc.cgroup")), "the unprivileged cannot make devices anyway");
  });

  it("maps ids, and the files of mounts back", () => {
    const lines = linesOf({ idMap: { uidStart: 100_000, gidStart: 200_000, count: 65_536 }, mounts: [{ kind: "staged", index: 3, target: "/a b/c", readOnly: true, isFile: true }] });
    for (const line of ["lxc.idmap = u 0 100000 65536", "lxc.idmap = g 0 200000 65536", "lxc.mount.entry = /run/vendetta-lxc/m3 a\\040b/c none bind,ro,idmap=container,create=file 0 0"]) assert.ok(lines.includes(line), line);
  });

  it("lets a container change its network only where its address is its own business", () => {
    const dropped = (more: Partial<ContainerConfig>) => linesOf(more).find((line) => line.startsWith("lxc.cap.drop"));
    assert.match(dropped({})!, / net_admin$/);
    assert.doesNotMatch(dropped({ keepsNetworkAdmin: true })!, /net_admin/);
  });
});
