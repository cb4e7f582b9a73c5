import { ProviderError, type Progress } from "../provider.ts";
import type { IdMap } from "./id-map.ts";
import { imageSourceOf } from "./image-source.ts";
import { shortHash, stage, type LxcPaths } from "./lxc-paths.ts";
import { runScript, type NodeShell } from "./node-shell.ts";

/** A root file system is fetched and unpacked in it. */
const makeTimeoutMs = 30 * 60_000;
const lookTimeoutMs = 30_000;

export interface ImageWish {
  readonly reference: string;
  readonly checksum: string | undefined;
  readonly policy: "Always" | "IfNotPresent" | "Never";
  readonly architecture: string;
  readonly idMap: IdMap | undefined;
}

/** Sets newest to the number of the newest version in $dir that is ready, or 0: a file of that name is written last. */
const findNewest = `
newest=0
for each in "$dir"/[0-9]*/ready; do
  [ -e "$each" ] || continue
  each=\${each%/ready} each=\${each##*/}
  [ "$each" -le "$newest" ] || newest=$each
done
`;

/** $1 directory of the image. Prints the newest version, if any. */
const lookScript = `
dir=$1
${findNewest}
[ "$newest" = 0 ] || echo "$dir/$newest"
`;

/** Exported for its test. Refuses what is not on the node. Needs kind, source and image; sets found to the template's script. @param directories those of templates, as words of sh */
export const refuseUnknownImage = (directories: string) => `
case $kind in
  path) [ -e "$source" ] || no ImageNotFound "spec.image: there is no $source on the node";;
  template)
    found= known=
    for at in ${directories}; do
      [ ! -x "$at/lxc-$source" ] || found=$at/lxc-$source
      for each in "$at"/lxc-*; do [ ! -x "$each" ] || known="$known\${known:+, }\${each##*/lxc-}"; done
    done
    [ -n "$known" ] || no ImageNotFound "spec.image $image: the node has no templates of LXC to make it with; install lxc-templates, or name a tarball or a directory, by path or URL"
    [ -n "$found" ] || no ImageNotFound "spec.image $image: LXC knows no images of Docker; it is a template that the node has ($known), or a tarball or a directory, by path or URL";;
esac
`;
const refuseUnknown = refuseUnknownImage("/usr/share/lxc/templates /usr/local/share/lxc/templates");

/**
 * $1 directory of the image, $2 kind, $3 source, $4 checksum or "", $5 first uid and $6 first gid of the map or "", $7 lxcPath, $8 "again" or "",
 * $9 the image as the spec has it, the rest: arguments of the template. Prints the version made. Versions that no instance and no snapshot names any more are removed.
 * Files are unpacked with the node's ids; for a map they are packed and unpacked once more by the map's own root.
 */
const makeScript = `
dir=$1 kind=$2 source=$3 checksum=$4 uid=$5 gid=$6 lxc=$7 again=$8 image=$9
shift 9
# Before anything is made for it: what is spelled wrong leaves no directory behind.
${refuseUnknown}
# Somebody else may be making it, which may take its time: the caller has the bound.
hold "$dir"
${findNewest}
if [ "$newest" != 0 ] && [ -z "$again" ]; then echo "$dir/$newest"; exit 0; fi
rm -rf "$dir"/.new
for old in "$dir"/[0-9]*; do [ -e "$old/ready" ] || rm -rf "$old"; done
new=$dir/.new
mkdir -m 755 "$new" "$new/plain" || no ImagePullFailed "there is no room for the image in $dir"
# What came to nothing leaves no directory behind; whoever waits for its lock makes another one.
give_up() {
  rm -rf "$new"
  [ "$newest" != 0 ] || rm -rf "$dir"
  no "$1" "$2"
}
file=$source
case $kind in
  path)
    [ ! -d "$source" ] || kind=directory;;
  url)
    file=$new/fetched
    if command -v curl >/dev/null 2>&1; then curl -fsSL --connect-timeout 30 -o "$file" -- "$source" 2>"$new/said"
    elif command -v wget >/dev/null 2>&1; then wget -q -T 30 -O "$file" -- "$source" 2>"$new/said"
    else give_up ImagePullFailed "the node has neither curl nor wget to fetch $source with; install one"; fi ||
      give_up ImagePullFailed "spec.image: $source cannot be fetched: $(tail -n 2 "$new/said")";;
  template)
    for program in debootstrap rsync; do
      if grep -qw "$program" "$found" && ! command -v "$program" >/dev/null 2>&1; then give_up ImagePullFailed "the template $source needs $program, which the node has not; install it"; fi
    done
    : >"$new/config"
    lxc-create -P "$new" -n made -f "$new/config" -t "$source" -- "$@" >"$new/said" 2>&1 </dev/null ||
      give_up ImagePullFailed "the template $source failed: $(grep -v '^lxc-create: ' "$new/said" | tail -n 4)"
    rm -rf "$new/plain" && mv "$new/made/rootfs" "$new/plain" && rm -rf "$new/made" "/run/lxc/lock$new"
    rmdir -p "/run/lxc/lock\${new%/*}" 2>/dev/null
    if [ "$source" = busybox ] && ! chroot "$new/plain" /bin/busybox true 2>/dev/null; then give_up ImagePullFailed "the node's busybox needs libraries that the container will not have; install busybox-static"; fi
    # Its init would wait for ever for a lease, deaf to the wish to halt, where no DHCP server is.
    [ "$source" != busybox ] || sed -i 's,^/bin/udhcpc.*,ip -4 addr show dev eth0 2>/dev/null | grep -q inet || /bin/udhcpc -i eth0 \\&,' "$new/plain/etc/init.d/rcS";;
esac
if [ -n "$checksum" ]; then
  [ "$kind" != directory ] || give_up InvalidSpec "a directory has no checksum"
  sum=$(sha256sum <"$file" | cut -d' ' -f1)
  [ "sha256:$sum" = "$checksum" ] || give_up ImageChecksumMismatch "$source has the checksum sha256:$sum, not $checksum"
fi
case $kind in
  directory) (cd "$source" && tar -cf - --one-file-system .) | tar -xpf - --numeric-owner -C "$new/plain" || give_up ImagePullFailed "spec.image: $source cannot be copied";;
  path | url) tar -xpf "$file" --numeric-owner -C "$new/plain" 2>"$new/said" || give_up ImagePullFailed "spec.image: $source cannot be unpacked: $(tail -n 2 "$new/said")";;
esac
[ -x "$new/plain/bin/sh" ] || [ -L "$new/plain/bin/sh" ] || [ -L "$new/plain/bin" ] || give_up ImagePullFailed "spec.image: $source holds no root file system: there is no /bin/sh in it"
if [ -n "$uid" ]; then
  mkdir "$new/rootfs" && chown "$uid:$gid" "$new/rootfs"
  # No one but root may pass the directories on the way there, so the map's root is given it elsewhere.
  (cd "$new/plain" && tar -cf - --numeric-owner --exclude='./dev/*' .) | unshare -m --propagation slave sh -c '
    mkdir -p ${stage} && mount --bind "$1" ${stage} && cd / && exec lxc-usernsexec -m "u:0:$2:65536" -m "g:0:$3:65536" -- tar -xpf - --numeric-owner -C ${stage}' sh "$new/rootfs" "$uid" "$gid" 2>"$new/said" ||
      give_up ImagePullFailed "spec.image: $source cannot be given to the ids of the containers: $(tail -n 2 "$new/said")"
  rm -rf "$new/plain"
else
  mv "$new/plain" "$new/rootfs"
fi
rm -rf "$new/fetched" "$new/said" "$new/config"
for each in "$dir"/[0-9]*; do [ ! -d "$each" ] || grep -qsF "$each\\"" "$lxc"/*/instance.json || grep -qsxF "$each" "$lxc-work"/*/snapshots/*/image || rm -rf "$each"; done
version=$dir/$((newest + 1))
mv "$new" "$version" && : >"$version/ready" && echo "$version"
`;

/**
 * The directory of the image's version to use, made now if need be: once per node, whoever asks first.
 * @throws ProviderError ImageNotFound, ImagePullFailed, ImageChecksumMismatch
 */
export async function ensureImage(shell: NodeShell, paths: LxcPaths, wish: ImageWish, progress: Progress, signal: AbortSignal): Promise<string> {
  const { reference, checksum = "", policy, architecture, idMap } = wish;
  const source = imageSourceOf(reference, architecture);
  const dir = `${paths.images}/${shortHash(JSON.stringify([reference, checksum, idMap ?? null]))}`;
  if (policy !== "Always") {
    const found = (await runScript(shell, lookScript, [dir], { signal, timeoutMs: lookTimeoutMs })).trim();
    if (found !== "") return found;
  }
  const isOnline = source.kind === "url" || (source.kind === "template" && source.online);
  // An unknown template is told as what it is, not as one that may not be fetched.
  if (policy === "Never" && isOnline && !(source.kind === "template" && (await isUnknown(shell, source.template, signal)))) throw new ProviderError("ImageNotFound", `image ${reference} is not on the node, and imagePullPolicy Never forbids fetching it`, true);
  const from = source.kind === "template" ? source.template : source.kind === "url" ? source.url : source.path;
  progress(`making image ${reference}`, "Pulling");
  const args = [dir, source.kind, from, checksum, ...(idMap === undefined ? ["", ""] : [String(idMap.uidStart), String(idMap.gidStart)]), paths.lxcPath, policy === "Always" ? "again" : "", reference, ...(source.kind === "template" ? source.args : [])];
  const made = await runScript(shell, makeScript, args, { signal, timeoutMs: makeTimeoutMs });
  progress(`made image ${reference}`, "Pulled");
  return made.trim();
}

async function isUnknown(shell: NodeShell, template: string, signal: AbortSignal): Promise<boolean> {
  const script = `for at in /usr/share/lxc/templates /usr/local/share/lxc/templates; do [ -x "$at/lxc-$1" ] && echo found; done; true`;
  return (await runScript(shell, script, [template], { signal, timeoutMs: lookTimeoutMs })).trim() === "";
}
