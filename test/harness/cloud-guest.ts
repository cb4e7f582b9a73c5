import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inMachineNetwork } from "../runner/own-network.ts";
import { cachedBuild } from "./cached-build.ts";
import { guestKernel } from "./guest-kernel.ts";
import { qemuUnavailable, type Guest } from "./tiny-guest.ts";

/** As `qemuUnavailable`, for a guest whose making needs root, too. */
export function cloudGuestUnavailable(): string | undefined {
  const why = qemuUnavailable() ?? (process.getuid?.() !== 0 ? "making it needs root" : existsSync("/usr/bin/mmdebstrap") ? undefined : "not installed: mmdebstrap");
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

const packages = ["systemd-sysv", "cloud-init", "openssh-server", "iproute2", "e2fsprogs"];
/** Where guests look for packages, on the node's loopback interface: whoever wants them to find some serves a repository there. */
export const packagesPort = 18_089;

const files: Readonly<Record<string, string>> = {
  "etc/fstab": "/dev/vda / ext4 defaults 0 0\n",
  "etc/resolv.conf": "nameserver 10.0.2.3\n",
  "etc/apt/sources.list": `deb [trusted=yes] http://10.0.2.2:${packagesPort}/ ./\n`,
  "etc/systemd/system/card.service": `[Unit]
Description=The network card
DefaultDependencies=no
After=systemd-remount-fs.service
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2'
[Install]
WantedBy=sysinit.target
`,
  // Only what a seed of ours speaks of: each of its modules costs an emulated machine a second.
  "etc/cloud/cloud.cfg.d/90-test.cfg": `network: {config: disabled}
datasource_list: [NoCloud]
cloud_init_modules: [write-files, growpart, resizefs, set_hostname, users-groups, ssh, runcmd]
cloud_config_modules: []
cloud_final_modules: [package-update-upgrade-install, scripts-user]
`,
};
/** They wait for what the machine does not have, or are of no use in it; a stage of cloud-init that has no modules is a Python that starts for nothing. */
const masked = [
  "cloud-config.service", "cloud-init-hotplugd.socket", "getty-static.service", "getty@tty1.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-random-seed.service", "systemd-sysusers.service",
  "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "modprobe@configfs.service", "modprobe@dm_mod.service", "modprobe@efi_pstore.service", "modprobe@fuse.service", "modprobe@loop.service", "systemd-modules-load.service",
  "serial-getty@ttyS0.service", "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service", "dpkg-db-backup.timer",
];

/** Of dpkg.cfg: what is thrown away if the making is cut off need not be on the disk, and nobody reads the rest. */
const dpkgOptions = ["force-unsafe-io", "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*"];

/** Debian with systemd, OpenSSH and cloud-init, from Debian's packages: what people run. Its first boot follows the seed. */
export async function cloudGuest(): Promise<Guest> {
  const kernel = await guestKernel();
  const directory = await cachedBuild("cloud", ["2", packages.join(), dpkgOptions.join(), JSON.stringify(files), masked.join()], (into) => {
    const root = mkdtempSync(join(tmpdir(), "vd-cloud-"));
    try {
      const quick = { ...process.env, PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` };
      const [program, ...args] = inMachineNetwork(["mmdebstrap", "--quiet", "--mode=root", "--format=directory", "--variant=apt", `--include=${packages.join()}`, ...dpkgOptions.map((each) => `--dpkgopt=${each}`), "bookworm", root, "http://deb.debian.org/debian"]);
      execFileSync(program!, args, { env: quick, stdio: ["ignore", "ignore", "pipe"], maxBuffer: 64 * 1024 * 1024 });
      for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
      for (const unit of masked) symlinkSync("/dev/null", join(root, "etc/systemd/system", unit));
      execFileSync("chroot", [root, "systemctl", "enable", "card.service"], { env: quick, stdio: "ignore" });
      const image = join(into, "root.img");
      execFileSync("truncate", ["-s", "1200M", image]);
      execFileSync("mkfs.ext4", ["-q", "-F", "-d", root, image], { env: quick });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
  return { ...kernel, image: join(directory, "root.img"), engine: { kernel: kernel.kernel, initrd: kernel.initrd, append: "console=ttyS0 quiet net.ifnames=0 clocksource=hpet no_timer_check cryptomgr.notests edd=off nokaslr panic=-1" } };
}
