import { z } from "zod";
import { absolutePath } from "./absolute-path.ts";
import { isQuotable } from "./issue-causes.ts";
import { dnsLabel } from "./meta.ts";
import { mergedByKeys } from "./list-type.ts";
import { quantity } from "./quantity.ts";
import type { StatusCause } from "./status-error.ts";

/** What a Workspace may say to one engine only. */
export const docker = z.strictObject({
  command: z.array(z.string()).min(1).max(1000).optional().describe("Main command and its arguments, instead of one that waits until the workspace is stopped."),
  network: z.string().max(128).optional().describe("Docker network to join. Default: the engine's bridge."),
  privileged: z.boolean().optional().describe("Give all capabilities: the container can take over the node."),
  capAdd: z.array(z.string().max(64)).max(64).optional().describe("Linux capabilities to add."),
  extraHosts: z.array(z.string().max(300)).max(64).optional().describe("Lines for /etc/hosts, as host:address."),
});

export const lxc = z.strictObject({
  network: z.enum(["bridge", "empty"]).optional().describe("The container's network: bridge (default, an address of its own behind a bridge of the node), or empty (nothing but its own loopback)."),
  bridge: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, "must be the name of a network interface, at most 15 characters").optional().describe("A bridge of the node to join, whose network gives addresses by DHCP. Absent: one that vendetta keeps, with addresses that vendetta gives."),
  privileged: z.boolean().optional().describe("Let root inside be root of the node. Absent: root inside is nobody outside, wherever the node has subordinate ids for that; status says where it has none."),
});

const firmwareText = z.string().max(2048).refine((text) => !/[\0\n]/.test(text), "must be one line");

export const qemu = z.strictObject({
  machine: z.enum(["q35", "microvm"]).optional().describe("Kind of machine: q35 (default, a PC), or microvm, which starts sooner and needs kernel. Emulated, a microvm has no clock to measure by: its append then tells the rate (tsc=reliable tsc_early_khz=…)."),
  accelerator: z.enum(["kvm", "tcg"]).optional().describe("What runs the machine: kvm (the processor, or nothing where it cannot), or tcg (emulation, many times slower). Absent: the best that works on the node."),
  kernel: absolutePath.optional().describe("Kernel on the node to boot directly, without a boot loader; an image is then optional."),
  initrd: absolutePath.optional().describe("Initial RAM disk on the node, for kernel."),
  append: firmwareText.optional().describe("Command line of the kernel, for kernel."),
  packages: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9+._=:~-]{0,199}$/, "must be a package's name")).max(500).optional().describe("Packages that cloud-init installs at the first boot."),
  firstBootCommands: z.array(z.string().min(1).max(16 * 1024)).max(100).optional().describe("Lines of sh that cloud-init runs as root, once, at the first boot."),
  disks: mergedByKeys(z.array(z.strictObject({ name: dnsLabel.max(20).describe("Serial number of the disk: /dev/disk/by-id/virtio-NAME in the guest."), size: quantity.describe("Bytes it can hold, as a quantity such as 20Gi. It can grow later, not shrink.") })).max(16), "name").optional().describe("Empty disks beside the first one. They are kept while the Workspace exists."),
});

/** The parts of a Workspace's spec that its engine decides about. */
interface EngineParts {
  readonly provider: "docker" | "lxc" | "qemu" | "host";
  readonly image?: string | undefined;
  readonly imageChecksum?: string | undefined;
  readonly docker?: z.infer<typeof docker> | undefined;
  readonly lxc?: z.infer<typeof lxc> | undefined;
  readonly qemu?: z.infer<typeof qemu> | undefined;
}

const dockerImage = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/;
const template = /^[a-z][a-z0-9-]*(:[A-Za-z0-9][A-Za-z0-9./_-]*)?$/;
const isUrl = (image: string) => URL.canParse(image) && /^https?:$/.test(new URL(image).protocol);
const isPath = (image: string) => absolutePath.safeParse(image).success;

/** What is wrong between the provider, its image and the engines' blocks. */
export function engineCauses(spec: EngineParts): readonly StatusCause[] {
  const { provider, image } = spec;
  const causes: StatusCause[] = [];
  const refuse = (field: string, message: string, reason: string) => causes.push({ field, message, reason });
  for (const engine of ["docker", "lxc", "qemu"] as const) {
    if (provider !== engine && spec[engine] !== undefined) refuse(`spec.${engine}`, `is for provider ${engine}; this Workspace's provider is ${provider}`, "FieldValueForbidden");
  }
  if (image === undefined && provider !== "host" && spec.qemu?.kernel === undefined) refuse("spec.image", `is required for provider ${provider}${provider === "qemu" ? " unless spec.qemu.kernel is set" : ""}`, "FieldValueRequired");
  if (image !== undefined) {
    const wrong = whyNotAnImage(provider, image);
    if (wrong !== undefined) refuse("spec.image", `${isQuotable(image) ? `${JSON.stringify(image)} ` : ""}${wrong}`, "FieldValueInvalid");
  }
  if (spec.imageChecksum !== undefined && (image === undefined || !(isUrl(image) || isPath(image)))) refuse("spec.imageChecksum", "is for an image that is a file or a URL; a reference to a registry has its digest after '@'", "FieldValueForbidden");
  if (spec.lxc?.bridge !== undefined && spec.lxc.network === "empty") refuse("spec.lxc.bridge", "cannot be joined with spec.lxc.network empty", "FieldValueForbidden");
  if (spec.qemu !== undefined && spec.qemu.kernel === undefined) {
    for (const field of ["initrd", "append"] as const) if (spec.qemu[field] !== undefined) refuse(`spec.qemu.${field}`, "is for spec.qemu.kernel, which is not set", "FieldValueForbidden");
    if (spec.qemu.machine === "microvm") refuse("spec.qemu.machine", "microvm has no boot loader: set spec.qemu.kernel, or use q35", "FieldValueInvalid");
  }
  return causes;
}

function whyNotAnImage(provider: EngineParts["provider"], image: string): string | undefined {
  if (provider === "docker" || provider === "host") return dockerImage.test(image) ? undefined : "must be an image reference such as node:20 or registry.example/team/app:1.2";
  if (isPath(image) || isUrl(image)) return undefined;
  if (provider === "qemu") return "must be an absolute path on the node, or a URL (http or https), of a disk image";
  return template.test(image) ? undefined : "must be a template such as debian:bookworm, or an absolute path on the node or a URL (http or https) of a root file system";
}
