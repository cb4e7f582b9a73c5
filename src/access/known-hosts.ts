import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../base/errors.ts";
import { AccessError } from "./access.ts";

/** A line of known_hosts that speaks of a machine. */
export interface KnownHost {
  /** Public key line: type and base64. */
  readonly line: string;
  readonly revoked: boolean;
  /** For messages: "~/.ssh/known_hosts:12". */
  readonly where: string;
}

/** What the user's and the system's known_hosts say of a machine. @throws AccessError */
export async function knownHosts(home: string, host: string, port: number): Promise<readonly KnownHost[]> {
  const files = [
    { path: join(home, ".ssh", "known_hosts"), name: "~/.ssh/known_hosts" },
    { path: "/etc/ssh/ssh_known_hosts", name: "/etc/ssh/ssh_known_hosts" },
  ];
  const found = await Promise.all(
    files.map(async ({ path, name }) => {
      const text = await readFile(path, "utf8").catch((error: unknown) => {
        if (codeOf(error) === "ENOENT") return "";
        throw new AccessError(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
      });
      return parseKnownHosts(text, name, host, port);
    }),
  );
  return found.flat();
}

/**
 * The lines for a host: names, patterns with `*`, `?` and `!`, hashed names, and the marker @revoked (sshd(8), "SSH_KNOWN_HOSTS
 * FILE FORMAT"). Lines of certificate authorities are passed over: certificates are not looked at.
 */
export function parseKnownHosts(text: string, name: string, host: string, port: number): readonly KnownHost[] {
  const wanted = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  return text.split("\n").flatMap((line, i): KnownHost[] => {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith("@") === true ? fields.shift() : undefined;
    const [names, type, base64] = fields;
    if (names === undefined || names.startsWith("#") || type === undefined || base64 === undefined) return [];
    if (marker === "@cert-authority" || !matches(names, wanted)) return [];
    return [{ line: `${type} ${base64}`, revoked: marker === "@revoked", where: `${name}:${i + 1}` }];
  });
}

function matches(names: string, wanted: string): boolean {
  if (names.startsWith("|1|")) {
    const [, , salt = "", hash = ""] = names.split("|");
    return createHmac("sha1", Buffer.from(salt, "base64")).update(wanted).digest("base64") === hash;
  }
  let found = false;
  for (const each of names.toLowerCase().split(",")) {
    const negated = each.startsWith("!");
    if (!patternOf(negated ? each.slice(1) : each).test(wanted)) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

const patternOf = (text: string) => new RegExp(`^${text.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`);
