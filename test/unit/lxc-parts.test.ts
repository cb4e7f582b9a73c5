import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { idMapOf } from "../../src/providers/lxc/id-map.ts";
import { imageSourceOf } from "../../src/providers/lxc/image-source.ts";
import { parseList } from "../../src/providers/lxc/list-output.ts";
import { refuseUnknownImage } from "../../src/providers/lxc/lxc-images.ts";
import { lxcPathsOf, vethOf } from "../../src/providers/lxc/lxc-paths.ts";
import { readProbe } from "../../src/providers/lxc/lxc-probe.ts";
import { usageFromCgroup } from "../../src/providers/lxc/lxc-usage.ts";
import { chooseSubnet } from "../../src/providers/lxc/subnet.ts";

describe("ids for containers", () => {
  it("are root's first range that is long enough, in both files", () => {
    assert.deepEqual(idMapOf("dev:100000:65536\nroot:1:5\nroot:165536:65536\n", "0:165536:131072\n"), { uidStart: 165_536, gidStart: 165_536, count: 65_536 });
    for (const [subuid, subgid] of [["", ""], ["root:1:65535", "root:1:65536"], ["root:100000:65536", "dev:100000:65536"], ["root:x:y", "root:x:y"]] as const) assert.equal(idMapOf(subuid, subgid), undefined);
  });
});

describe("a network for containers", () => {
  const routes = "default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2\nlocal 127.0.0.0/8 dev lo table local\n";
  it("is the same each time, and another one for another seed", () => {
    assert.equal(chooseSubnet(routes, 0), "10.64.0");
    assert.equal(chooseSubnet(routes, 257), "10.65.1");
    assert.equal(chooseSubnet(routes, 64 * 256 + 3), "10.64.3");
  });
  it("collides with no route, however wide or narrow, and no address", () => {
    assert.equal(chooseSubnet(`${routes}10.64.0.0/23 dev vpn\n5: x inet 10.64.2.7/32 scope global x\nbroadcast 10.64.3.255 dev y table local`, 0), "10.64.4");
    assert.equal(chooseSubnet(`${routes}10.0.0.0/8 via 192.0.2.9`, 0), "172.24.0");
    assert.equal(chooseSubnet("10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n", 5), undefined);
  });
  it("reads a default route in any form as no collision", () => assert.equal(chooseSubnet("0.0.0.0/0 via 192.0.2.1\n", 0), "10.64.0"));
});

describe("where containers are", () => {
  it("has names that the kernel takes for a bridge and a cable, each its own", () => {
    const { bridge, lxcPath } = lxcPathsOf("/home/dev/.local/share/vendetta/instances");
    for (const name of [bridge, vethOf(lxcPath, "vendetta-c-u")]) assert.match(name, /^v[el][0-9a-f]{12}$/);
    assert.notEqual(bridge, lxcPathsOf("/other").bridge);
    assert.notEqual(vethOf(lxcPath, "vendetta-c-u"), vethOf("/other/lxc", "vendetta-c-u"));
  });
});

describe("a container's image", () => {
  for (const [image, source] of [
    ["/img/root.tar.xz", { kind: "path", path: "/img/root.tar.xz" }],
    ["https://example.org/root.tar", { kind: "url", url: "https://example.org/root.tar" }],
    ["busybox", { kind: "template", template: "busybox", args: [], online: false }],
    ["debian:bookworm", { kind: "template", template: "debian", args: ["--release", "bookworm"], online: true }],
    ["alpine:3.20", { kind: "template", template: "alpine", args: ["--release", "v3.20"], online: true }],
    ["download:alpine/3.20", { kind: "template", template: "download", args: ["--dist", "alpine", "--release", "3.20", "--arch", "amd64"], online: true }],
    ["download:debian/trixie/arm64", { kind: "template", template: "download", args: ["--dist", "debian", "--release", "trixie", "--arch", "arm64"], online: true }],
  ] as const) {
    it(`is read from ${image}`, () => assert.deepEqual(imageSourceOf(image, "amd64"), source));
  }
});

describe("a container's image that is not on the node", () => {
  /** What is said of an image on a node with these templates; "" when nothing is wrong. */
  function saidOf(templates: readonly string[], kind: string, source: string, image: string): string {
    const dir = mkdtempSync(join(tmpdir(), "vendetta-templates-"));
    try {
      for (const each of templates) {
        writeFileSync(join(dir, `lxc-${each}`), "");
        chmodSync(join(dir, `lxc-${each}`), 0o755);
      }
      const script = `no() { echo "$1 $2"; exit 1; }\nkind=$1 source=$2 image=$3\n${refuseUnknownImage("/nowhere " + dir)}`;
      const { stdout, stderr } = spawnSync("sh", ["-c", script, "sh", kind, source, image], { encoding: "utf8", timeout: 20_000 });
      return stdout.trim() + stderr;
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
  it("is told by its field, with the templates that there are, to whoever names one of Docker's", () =>
    assert.equal(saidOf(["busybox", "debian"], "template", "node", "node:20"), "ImageNotFound spec.image node:20: LXC knows no images of Docker; it is a template that the node has (busybox, debian), or a tarball or a directory, by path or URL"));
  it("asks for templates only where there are none", () => assert.match(saidOf([], "template", "debian", "debian:bookworm"), /^ImageNotFound spec\.image debian:bookworm: the node has no templates .*; install lxc-templates/));
  it("is told by its path", () => assert.equal(saidOf([], "path", "/no/such.tar", "/no/such.tar"), "ImageNotFound spec.image: there is no /no/such.tar on the node"));
  it("is nothing to tell of when it is there", () => assert.deepEqual([saidOf(["debian"], "template", "debian", "debian"), saidOf([], "path", "/", "/"), saidOf([], "url", "http://x/y", "http://x/y")], ["", "", ""]));
});

describe("whether a node can have containers", () => {
  const good = "uid 0\nversion 5.0.2\nmachine amd64\nsubuid root:100000:65536\nsubgid root:100000:65536\n";
  it("says the version, and whether they are unprivileged", () => {
    assert.deepEqual(readProbe(good, "box"), { architecture: "amd64", idMap: { uidStart: 100_000, gidStart: 100_000, count: 65_536 }, answer: { usable: true, version: "5.0.2", message: "unprivileged" } });
    const { answer, idMap } = readProbe("uid 0\nversion 5.0.2\nmachine x86_64\nmissing-firewall\n", "box");
    assert.equal(idMap, undefined);
    assert.ok(answer.usable && /root inside is root of the node/.test(answer.message!) && /neither iptables nor nft/.test(answer.message!));
  });
  it("says what is missing, and how it is installed", () => {
    const { answer } = readProbe("uid 1000\nmissing lxc\nmissing lxc\nmissing util-linux\nversion \n", "box");
    assert.deepEqual(answer, { usable: false, reason: "NotInstalled", message: "missing on box: lxc, util-linux (Debian: apt-get install lxc util-linux)" });
  });
  it("says that it needs root", () => {
    const { answer } = readProbe(good.replace("uid 0", "uid 1000"), "ssh dev@box");
    assert.ok(!answer.usable && answer.reason === "PermissionDenied" && answer.message.includes("ssh dev@box"));
  });
});

describe("what a node tells of its containers", () => {
  const record = JSON.stringify({
    owner: { cluster: "c", uid: "u", namespace: "default", name: "dev" }, generation: 2, specHash: "h", hostname: "dev", image: { reference: "busybox", dir: "/i/1" }, env: {}, mounts: [], limits: {},
    network: "bridge", privileged: false, disk: "overlay", init: { haltSignal: "SIGPWR", waits: false },
  });
  it("is read with its state, start and address", () => {
    const [told] = parseList(`instance vendetta-c-u\naddress 10.64.0.2\nstate running 77.1234.boot 1700000000\nrecord ${record}\n`);
    const { state, startId, startedAt, address, specHash, remarks } = told!.instance;
    assert.deepEqual([state, startId, startedAt, address, specHash, remarks?.length], ["running", "77.1234.boot", "2023-11-14T22:13:20.000Z", "10.64.0.2", "h", 1]);
  });
  it("is no start when it does not run, whatever is on record", () => {
    const [told] = parseList(`instance vendetta-c-u\nstate stopped 77.1234.boot 1700000000\nrecord ${record}\n`);
    assert.deepEqual([told!.instance.state, told!.instance.startId, told!.instance.startedAt], ["stopped", undefined, undefined]);
  });
  it("shows as broken what has no record, or one that nobody can read, beside those that are well", () => {
    const told = parseList(`instance vendetta-c-half\nstate created .. \ninstance vendetta-c-bad\nstate created .. \nrecord {"owner":\ninstance vendetta-c-u\nstate created .. \nrecord ${record}\n`);
    assert.deepEqual(told.map(({ instance }) => [instance.id, instance.state, instance.owner.uid]), [["vendetta-c-half", "broken", "half"], ["vendetta-c-bad", "broken", "bad"], ["vendetta-c-u", "created", "u"]]);
  });
  it("is nothing where there is none", () => assert.deepEqual(parseList(""), []));
});

describe("what a container uses", () => {
  it("is read from either version of cgroups", () => {
    assert.deepEqual(usageFromCgroup("usage 5000\ntotal_inactive_file 1000\nnanoseconds 2500000000\n"), { memoryBytes: 4000, cpuSeconds: 2.5 });
    assert.deepEqual(usageFromCgroup("usage 5000\ninactive_file 6000\nusage_usec 1500000\n"), { memoryBytes: 0, cpuSeconds: 1.5 });
    assert.equal(usageFromCgroup(""), undefined);
  });
});
