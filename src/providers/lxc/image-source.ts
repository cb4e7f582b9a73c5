/** Where a root file system comes from. */
export type ImageSource =
  /** A script of lxc-templates and its arguments. `online`: it fetches what it makes. */
  | { readonly kind: "template"; readonly template: string; readonly args: readonly string[]; readonly online: boolean }
  | { readonly kind: "url"; readonly url: string }
  /** A tarball or a directory of the node: it is seen there which. */
  | { readonly kind: "path"; readonly path: string };

/**
 * Reads a Workspace's image: "busybox", "debian:bookworm", "download:alpine/3.20", an absolute path or a URL.
 * @param architecture as Debian names it ("amd64"), for images that are fetched by it
 */
export function imageSourceOf(image: string, architecture: string): ImageSource {
  if (image.startsWith("/")) return { kind: "path", path: image };
  if (/^https?:\/\//.test(image)) return { kind: "url", url: image };
  const [template = "", version] = image.split(/:(.*)/);
  return { kind: "template", template, args: version === undefined ? [] : argsOf(template, version, architecture), online: template !== "busybox" };
}

function argsOf(template: string, version: string, architecture: string): string[] {
  if (template === "download") {
    const [distribution = "", release = "", own = architecture] = version.split("/");
    return ["--dist", distribution, "--release", release, "--arch", own];
  }
  if (template === "alpine") return ["--release", /^\d/.test(version) ? `v${version}` : version];
  return ["--release", version];
}
