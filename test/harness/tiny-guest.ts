import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cachedBuild } from "./cached-build.ts";
import { guestKernel, type GuestKernel } from "./guest-kernel.ts";

/** Why no virtual machine can be started here; undefined when one can. With CI=true a lack is an error, not a skip. */
export function qemuUnavailable(): string | undefined {
  const lacks = ["qemu-system-x86_64", "qemu-img", "mkfs.ext4", "busybox", "dropbear", "apt-get"].filter((program) => !["/usr/bin", "/bin", "/usr/sbin", "/sbin"].some((directory) => existsSync(join(directory, program))));
  const why = lacks.length === 0 ? undefined : `not installed: ${lacks.join(", ")}`;
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

export type DirectBoot = Readonly<Record<"kernel" | "initrd" | "append", string> & { machine?: "microvm" }>;

/** A machine without a boot loader. */
export interface Guest extends GuestKernel {
  /** Its root file system: a raw disk without partitions. */
  readonly image: string;
  /** `spec.qemu` for it. */
  readonly engine: DirectBoot;
}

/** busybox and dropbear on Debian's kernel: a whole machine that is up within seconds, also where it is emulated; `engine` is the kind that is up soonest. */
export interface TinyGuest extends Guest {
  /** The same as a PC, which takes every device there is. */
  readonly pc: DirectBoot;
}

const inittab = `::sysinit:/etc/rc
::respawn:/usr/sbin/dropbear -F -E -s -r /run/host_key
::shutdown:/etc/stop
`;
/** What runs is asked to end while its disks are there. */
const stop = `#!/bin/sh
kill -TERM -1
tries=100 others=yes
while [ -n "$others" ] && [ $tries -gt 0 ]; do
  sleep 0.05
  tries=$((tries - 1)) others=
  for each in /proc/[0-9]*; do
    pid=\${each#/proc/} command=
    [ $pid = 1 ] || [ $pid = $$ ] || { read -r command < $each/cmdline; } 2>/dev/null
    # The kernel's own have none.
    [ -z "$command" ] || others=yes
  done
done
umount -a -r
`;
const rc = `#!/bin/sh
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp; mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,rw /
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
mkdir -p /run/seed
for each in /dev/vd?1; do mount -t vfat -o ro $each /run/seed && break; done
mkdir -p /root/.ssh && chmod 700 /root/.ssh && cp /run/seed/authorized_keys /root/.ssh/ && chmod 600 /root/.ssh/authorized_keys
dropbearconvert openssh dropbear /run/seed/ssh_host_ed25519_key /run/host_key 2>/dev/null
umount /run/seed
`;
const accounts = { passwd: "root::0:0:root:/root:/bin/sh\ndev:x:1000:1000:dev:/tmp:/bin/sh\n", group: "root:x:0:\ndev:x:1000:\n", shells: "/bin/sh\n", hostname: "tiny\n" };

const append = "console=ttyS0 quiet no_timer_check cryptomgr.notests edd=off nokaslr panic=-1";
/** A microvm has no clock to measure the processor's by: on a busy machine its kernel waits for ever, unless it is told the rate. */
const tsc = () => `tsc=reliable tsc_early_khz=${Math.round(Number(/^cpu MHz\s*: (\S+)/m.exec(readFileSync("/proc/cpuinfo", "utf8"))![1]) * 1000)}`;

export async function tinyGuest(): Promise<TinyGuest> {
  const kernel = await guestKernel();
  const directory = await cachedBuild("tiny", ["2", rc, inittab, stop, JSON.stringify(accounts)], (into) => {
    const root = mkdtempSync(join(tmpdir(), "vd-tiny-"));
    try {
      fill(root);
      const image = join(into, "root.img");
      execFileSync("truncate", ["-s", "64M", image]);
      execFileSync("mkfs.ext4", ["-q", "-F", "-d", root, image], { env: { ...process.env, PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` } });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
  const boot = { kernel: kernel.kernel, initrd: kernel.initrd };
  return { ...kernel, image: join(directory, "root.img"), engine: { ...boot, append: `${append} ${tsc()}`, machine: "microvm" }, pc: { ...boot, append: `${append} clocksource=hpet` } };
}

function fill(root: string): void {
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  for (const name of ["proc", "sys", "dev", "tmp", "run", "root", "usr/sbin"]) mkdirSync(join(root, name), { recursive: true });
  mkdirSync(join(root, "bin"));
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const applet of execFileSync("/bin/busybox", ["--list-full"], { encoding: "utf8" }).trim().split("\n")) {
    const path = join(root, applet);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) symlinkSync("/bin/busybox", path);
  }
  for (const program of ["dropbear", "dropbearconvert"]) copyProgram(program, root);
  put("etc/rc", rc, 0o755);
  put("etc/stop", stop, 0o755);
  put("etc/inittab", inittab);
  for (const [name, text] of Object.entries(accounts)) put(`etc/${name}`, text);
}

/** With the libraries that it says it needs. */
function copyProgram(name: string, root: string): void {
  const source = ["/usr/sbin", "/usr/bin", "/usr/lib/dropbear"].map((directory) => join(directory, name)).find(existsSync)!;
  copyFileSync(source, join(root, "usr/sbin", name));
  const needed = execFileSync("ldd", [source], { encoding: "utf8" }).matchAll(/(\/\S+\.so\S*)/g);
  for (const [, library] of needed) {
    mkdirSync(join(root, dirname(library!)), { recursive: true });
    writeFileSync(join(root, library!), readFileSync(library!), { mode: 0o755 });
  }
}
