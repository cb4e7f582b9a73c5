import { createHash } from "node:crypto";
import { z } from "zod";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError, type InstanceSpec, type Progress } from "../provider.ts";
import { checkedPathScript, fetchScript } from "./image-scripts.ts";

/** A disk image on the node, which machines' disks are written over. It is never written to. */
export interface BaseImage {
  readonly file: string;
  /** As QEMU names it: qcow2, raw, vmdk … */
  readonly format: string;
  readonly virtualBytes: number;
}

/** For an image of some gigabytes over a slow line. */
const fetchMsMax = 60 * 60_000;
const checksumMsMax = 10 * 60_000;
const infoMsMax = 30_000;

export interface BaseImageParts {
  readonly transport: Transport;
  /** Directory on the node for what was fetched. */
  readonly imagesDir: string;
}

/**
 * Finds the image's file on the node, or fetches it once for all machines there. What was fetched is named by its content,
 * so that a newer one takes nothing away from the machines over an older one; it stays until somebody removes it.
 * @throws ProviderError ImageNotFound, ImagePullFailed, ChecksumMismatch, InvalidSpec
 */
export async function baseImage(parts: BaseImageParts, { image, imageChecksum, imagePullPolicy }: Pick<InstanceSpec, "image" | "imageChecksum" | "imagePullPolicy">, progress: Progress, signal: AbortSignal): Promise<BaseImage> {
  const sha256 = imageChecksum?.replace(/^sha256:/, "") ?? "";
  if (/^https?:\/\//.test(image)) return describe(parts, await fetched(parts, image, sha256, imagePullPolicy, progress, signal), image, signal);
  if (!image.startsWith("/")) throw new ProviderError("ImageNotFound", `spec.image: there is no ${image}: for qemu it is an absolute path on the node or a URL of a disk image`, false);
  const { code, stdout, stderr } = await parts.transport.run(["sh", "-c", checkedPathScript, "sh", image, sha256, parts.imagesDir], { timeoutMs: checksumMsMax, signal });
  if (code === 4) throw new ProviderError("ImageNotFound", `spec.image: there is no file ${image} on ${parts.transport.name}`, true);
  if (code === 5) throw checksumMismatch(image, sha256, stdout.trim(), true);
  if (code !== 0) throw new ProviderError("ImageNotFound", `spec.image: ${image} cannot be read on ${parts.transport.name}: ${stderr.trim().slice(0, 500)}`, true);
  return describe(parts, image, image, signal);
}

async function fetched({ transport, imagesDir }: BaseImageParts, url: string, sha256: string, policy: InstanceSpec["imagePullPolicy"], progress: Progress, signal: AbortSignal): Promise<string> {
  const key = createHash("sha256").update(`${url}\n${sha256}`).digest("hex").slice(0, 24);
  const stream = await transport.exec(["sh", "-c", fetchScript, "sh", imagesDir, key, url, sha256, policy, String(fetchMsMax / 1000)], { signal });
  stream.stdin.end();
  let said = "";
  stream.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString("utf8")).slice(-1000)));
  let file = "";
  let rest = "";
  stream.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!.slice(-4096);
    for (const line of lines) {
      const [word, value = ""] = line.split(/ (.*)/s);
      if (word === "pulling") progress(`fetching ${url}`, "Pulling");
      else if (word === "bytes") progress(`fetching ${url}: ${Math.floor(Number(value) / 1024 ** 2)} MiB`);
      else if (word === "pulled") progress(`fetched ${url}`, "Pulled");
      else if (word === "file" || word === "is") file = value;
    }
  });
  const { code } = await stream.exit;
  if (code === 0 && file !== "") return file;
  if (code === 4) throw new ProviderError("ImageNotFound", `spec.image: ${url} was not fetched to ${transport.name} yet, and imagePullPolicy is Never`, true);
  // Fetched again and again, it would be the same.
  if (code === 5) throw checksumMismatch(url, sha256, file, false);
  if (code === 6) throw new ProviderError("ImagePullFailed", `spec.image: ${url} cannot be fetched: ${transport.name} has neither curl nor wget; install one of them`, true);
  if (code === 7) throw new ProviderError("ImageNotFound", `spec.image: there is no ${url}: ${said.trim()}`, true);
  throw new ProviderError("ImagePullFailed", `spec.image: ${url} cannot be fetched to ${transport.name}: ${said.trim() || `exit code ${code}`}`, true);
}

const checksumMismatch = (image: string, wanted: string, is: string, retriable: boolean) => new ProviderError("ChecksumMismatch", `${image} is not what spec.imageChecksum says: it has sha256:${is}, not sha256:${wanted}`, retriable);

const imageInfo = z.object({ format: z.string(), "virtual-size": z.number(), "backing-filename": z.string().optional(), "format-specific": z.object({ data: z.record(z.string(), z.unknown()).optional() }).optional() });

/** An image that names another file would show the guest any file of the node that the user may read. */
async function describe({ transport }: BaseImageParts, file: string, image: string, signal: AbortSignal): Promise<BaseImage> {
  const { code, stdout, stderr } = await transport.run(["qemu-img", "info", "-U", "--output=json", file], { timeoutMs: infoMsMax, signal });
  if (code !== 0) throw new ProviderError("InvalidSpec", `spec.image: ${image} is no disk image that qemu-img can read: ${stderr.trim().slice(0, 500)}`, true);
  const info = imageInfo.parse(JSON.parse(stdout));
  const other = info["backing-filename"] ?? info["format-specific"]?.data?.["data-file"];
  if (other !== undefined) throw new ProviderError("InvalidSpec", `spec.image: ${image} is a layer over another file (${String(other)}); make it whole with 'qemu-img convert -O qcow2'`, true);
  return { file, format: info.format, virtualBytes: info["virtual-size"] };
}
