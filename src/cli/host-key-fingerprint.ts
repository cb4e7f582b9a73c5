import { createHash } from "node:crypto";

/** A public key line as ssh-keygen -l tells it: "ssh-ed25519 SHA256:…". */
export function hostKeyFingerprint(line: string): string {
  const [type = "", base64 = ""] = line.trim().split(/\s+/);
  return `${type} SHA256:${createHash("sha256").update(Buffer.from(base64, "base64")).digest("base64").replace(/=+$/, "")}`;
}
