import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { inMachineNetwork } from "../runner/own-network.ts";
import { cachedBuild } from "./cached-build.ts";
import { cpioArchive, type CpioEntry } from "./cpio.ts";

/** Debian's kernel for virtual machines, unpacked and not installed. */
export interface GuestKernel {
  /** Of `uname -r`. */
  readonly release: string;
  /** As boot loaders want it. */
  readonly packed: string;
  /** As QEMU boots it soonest: unpacked, which an emulated machine does slowly. */
  readonly kernel: string;
  /** Loads what is below, then becomes the init of the first disk, if there is one with a root file system. */
  readonly initrd: string;
}

/** In the order in which they need each other. */
const modules = [
  "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_mmio", "virtio_blk", "failover", "net_failover", "virtio_net",
  "nls_cp437", "nls_ascii", "nls_utf8", "fat", "vfat", "fuse", "virtiofs", "button", "pvpanic", "pvpanic_mmio",
];

const init = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for each in /modules/*.ko; do $b insmod $each; done
tries=100
while [ ! -b /dev/vda ] && [ $tries -gt 0 ]; do $b sleep 0.05; tries=$((tries - 1)); done
for each in /dev/vda /dev/vda1; do $b mount -t ext4 $each /new 2>/dev/null && break; done
[ -e /new/sbin/init ] || [ -L /new/sbin/init ] || { echo "no root file system on /dev/vda"; exec $b poweroff -f; }
for each in proc sys dev; do $b mount --move /$each /new/$each; done
exec $b switch_root /new /sbin/init
`;

function apt(args: readonly string[], cwd: string): void {
  const [program, ...rest] = inMachineNetwork(["apt-get", "-qq", ...args]);
  execFileSync(program!, rest, { cwd, stdio: ["ignore", "ignore", "pipe"] });
}

export function guestKernel(): Promise<GuestKernel> {
  return cachedBuild("kernel", ["4", modules.join(), init], (directory) => {
    const work = mkdtempSync(join(tmpdir(), "vd-kernel-"));
    try {
      const packageName = currentKernel();
      apt(["download", packageName], work);
      const deb = readdirSync(work).find((name) => name.endsWith(".deb"))!;
      execFileSync("dpkg-deb", ["-x", join(work, deb), join(work, "root")]);
      const release = packageName.replace(/^linux-image-/, "");
      copyFileSync(join(work, "root", "boot", `vmlinuz-${release}`), join(directory, "vmlinuz"));
      writeFileSync(join(directory, "vmlinux"), unpacked(readFileSync(join(directory, "vmlinuz"))));
      writeFileSync(join(directory, "initrd"), gzipSync(initrdOf(join(work, "root"))));
      writeFileSync(join(directory, "release"), release);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }).then((directory) => ({ release: readFileSync(join(directory, "release"), "utf8"), packed: join(directory, "vmlinuz"), kernel: join(directory, "vmlinux"), initrd: join(directory, "initrd") }));
}

/** The ELF file in a bzImage that is packed by lz4; another one as it is. Source: Documentation/arch/x86/boot.rst of Linux. */
function unpacked(image: Buffer): Buffer {
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  // The last four bytes are the size, in no format of lz4's.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  return payload.readUInt32LE(0) === 0x184c2102 ? execFileSync("lz4", ["-d"], { input: payload, maxBuffer: 256 * 1024 * 1024, stdio: ["pipe", "pipe", "ignore"] }) : image;
}

/** What linux-image-cloud-amd64 depends on at present. */
function currentKernel(): string {
  const ask = () => /Depends: (linux-image-\S+)/.exec(execFileSync("apt-cache", ["depends", "linux-image-cloud-amd64"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))?.[1];
  try {
    const found = ask();
    if (found !== undefined) return found;
  } catch {
    // The machine's lists are older than its packages, or were removed: they are fetched.
  }
  apt(["update"], "/");
  return ask()!;
}

function initrdOf(root: string): Buffer {
  const release = readdirSync(join(root, "lib", "modules"))[0]!;
  const all = readdirSync(join(root, "lib", "modules", release), { recursive: true, encoding: "utf8" });
  const entries: CpioEntry[] = ["bin", "modules", "proc", "sys", "dev", "new"].map((path) => ({ path, mode: 0o40755, data: new Uint8Array() }));
  const file = (path: string, data: Uint8Array) => entries.push({ path, mode: 0o100755, data });
  file("init", Buffer.from(init));
  file("bin/busybox", readFileSync("/bin/busybox"));
  modules.forEach((name, i) => {
    const path = all.find((each) => [`${name}.ko`, `${name.replaceAll("_", "-")}.ko`].includes(basename(each)));
    if (path !== undefined) file(`modules/${String(i).padStart(2, "0")}-${name}.ko`, readFileSync(join(root, "lib", "modules", release, path)));
  });
  return cpioArchive(entries);
}

