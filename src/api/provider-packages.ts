/** What has to be installed on a machine of Debian for an engine to be usable there; undefined: nothing that a package brings. */
export function packagesFor(provider: "docker" | "lxc" | "qemu" | "host"): string | undefined {
  return packages[provider];
}

const packages: Readonly<Record<Parameters<typeof packagesFor>[0], string | undefined>> = {
  docker: "docker.io",
  lxc: "lxc lxc-templates uidmap",
  qemu: "qemu-system-x86 qemu-utils",
  host: undefined,
};
