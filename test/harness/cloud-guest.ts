import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inMachineNetwork } from "../runner/own-network.ts";
import { cachedBuild } from "./cached-build.ts";
import { guestKernel } from "./guest-kernel.ts";
import { qemuUnavailable, type Guest } from "./tiny-guest.ts";

/** As `qemuUnavailable`, for a guest whose making needs root, too. */
export function cloudGuestUnavailable(): string | undefined {
  const why = qemuUnavailable() ?? (process.getuid?.() !== 0 ? "debootstrap needs root" : existsSync("/usr/sbin/debootstrap") ? undefined : "not installed: debootstrap");
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

/** python3-cffi-backend: debootstrap knows no virtual packages, and cloud-init needs one of its. */
const packages = ["systemd-sysv", "cloud-init", "python3-cffi-backend", "openssh-server", "iproute2"];

const files: Readonly<Record<string, string>> = {
  "etc/fstab": "/dev/vda / ext4 defaults 0 0\n",
  "etc/resolv.conf": "nameserver 10.0.2.3\n",
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
cloud_init_modules: [write-files, growpart, resizefs, set_hostname, users-groups, ssh]
cloud_config_modules: [runcmd]
cloud_final_modules: [package-update-upgrade-install, scripts-user]
`,
};
/** They wait for what the machine does not have, or are of no use in it. */
const masked = ["serial-getty@ttyS0.service", "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service", "dpkg-db-backup.timer"];

/** Debian with systemd, OpenSSH and cloud-init, from Debian's packages: what people run. Its first boot follows the seed. */
export async function cloudGuest(): Promise<Guest> {
  const kernel = await guestKernel();
  const directory = await cachedBuild("cloud", ["1", packages.join(), JSON.stringify(files), masked.join()], (into) => {
    const root = mkdtempSync(join(tmpdir(), "vd-cloud-"));
    const debs = join(homedir(), ".cache", "vendetta-test", "debs");
    mkdirSync(debs, { recursive: true });
    try {
      const quick = { ...process.env, DEBIAN_FRONTEND: "noninteractive", DPKG_FORCE: "unsafe-io", PATH: `${process.env["PATH"]}:/sbin:/usr/sbin` };
      const [program, ...args] = inMachineNetwork(["debootstrap", "--variant=minbase", `--cache-dir=${debs}`, `--include=${packages.join()}`, "bookworm", root, "http://deb.debian.org/debian"]);
      execFileSync(program!, args, { env: quick, stdio: ["ignore", "ignore", "pipe"], maxBuffer: 64 * 1024 * 1024 });
      for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
      for (const unit of masked) symlinkSync("/dev/null", join(root, "etc/systemd/system", unit));
      execFileSync("chroot", [root, "systemctl", "enable", "card.service"], { env: quick, stdio: "ignore" });
      for (const path of ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists"]) rmSync(join(root, path), { recursive: true, force: true });
      const image = join(into, "root.img");
      execFileSync("truncate", ["-s", "1200M", image]);
      execFileSync("mkfs.ext4", ["-q", "-F", "-d", root, image], { env: quick });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
  return { ...kernel, image: join(directory, "root.img"), engine: { kernel: kernel.kernel, initrd: kernel.initrd, append: "console=ttyS0 quiet net.ifnames=0 clocksource=hpet no_timer_check cryptomgr.notests edd=off nokaslr panic=-1" } };
}
