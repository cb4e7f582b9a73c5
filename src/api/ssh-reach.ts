import { z } from "zod";
import type { StatusCause } from "./status-error.ts";

const host = z.string().min(1).max(255).regex(/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?$/, "must be a host name or an IP address, without brackets");
const user = z.string().min(1).max(64).regex(/^[^\s:@/-][^\s:@/]*$/, "must be a user's name, without spaces, ':', '@' and '/'");

const hostKey = z
  .string()
  .max(4096)
  .refine(isPublicKeyLine, "must be an OpenSSH public key line such as 'ssh-ed25519 AAAA…': what is in /etc/ssh/ssh_host_*_key.pub there, or what ssh-keyscan prints after the name");

const address = {
  host: host.describe("Name or IP address of the machine, as the server's machine knows it."),
  port: z.number().int().min(1, "must be between 1 and 65535").max(65535, "must be between 1 and 65535").default(22).describe("TCP port of its sshd."),
  user: user.describe("User to log in as. Everything of provider host runs as this user; provider docker needs one that may use the engine's socket."),
  hostKeys: z.array(hostKey).min(1, "must hold at least one public key of the machine").max(20).describe("Public keys that the machine may show, one OpenSSH line each. Any other is refused before anything secret is sent."),
};

/** Machines that may be gone through on the way to one: ssh knows no bound, and nobody needs more. */
export const jumpsMax = 4;

/** A machine to go through, and perhaps another one before it. */
export interface JumpReach {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: string[];
  readonly jump?: JumpReach | undefined;
}

/** Level by level, so that every field has a path and a description of its own, as in all other schemas. */
function jumpOf(levels: number): z.ZodOptional<z.ZodType<JumpReach>> {
  const described = levels === jumpsMax ? "A machine to go through first (ProxyJump). What travels between the server and the Node stays encrypted for it." : "The machine to go through on the way to this one, in the same way.";
  return z.strictObject({ ...address, ...(levels > 1 ? { jump: jumpOf(levels - 1) } : {}) }).optional().describe(described) as z.ZodOptional<z.ZodType<JumpReach>>;
}

/** How a machine is reached over SSH, as a Node's spec says it. */
export const sshReach = z.strictObject({
  ...address,
  jump: jumpOf(jumpsMax),
  identityFile: z
    .string()
    .max(4096)
    .startsWith("/", "must be an absolute path")
    .refine((path) => !path.includes("\0"), "must not contain a NUL byte")
    .optional()
    .describe("Absolute path of a private key without a passphrase, on the server's machine. Absent: the cluster's own key, which 'vendetta node add' makes and puts on the Node."),
});

export type SshReach = Readonly<z.infer<typeof sshReach>>;

/** The machines of a way in the order in which they are connected to: itself is the last one. */
export function hopsOf<T extends { readonly jump?: T | undefined }>(machine: T): readonly T[] {
  return machine.jump === undefined ? [machine] : [...hopsOf(machine.jump), machine];
}

/** Whether it is type and base64 of one and the same key (RFC 4253, 6.6: the blob begins with the type's name). */
function isPublicKeyLine(text: string): boolean {
  const [type = "", base64 = "", ...comment] = text.trim().split(/[ \t]+/);
  if (/[\r\n\0]/.test(text.trim()) || comment.length > 20 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return false;
  const blob = Buffer.from(base64, "base64");
  return blob.length > 4 + type.length && blob.readUInt32BE(0) === type.length && blob.toString("latin1", 4, 4 + type.length) === type;
}

/** Exactly one way to the machine. */
export function reachCauses({ local, ssh }: { readonly local?: unknown; readonly ssh?: unknown }): readonly StatusCause[] {
  if (local === undefined && ssh === undefined) return [{ field: "spec", message: "must say how the machine is reached: spec.local ({} is this one) or spec.ssh", reason: "FieldValueRequired" }];
  if (local !== undefined && ssh !== undefined) return [{ field: "spec.ssh", message: "must not be given together with spec.local: a Node is this machine or another one", reason: "FieldValueForbidden" }];
  return [];
}
