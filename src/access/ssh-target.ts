import { isIPv6 } from "node:net";
import { AccessError } from "./access.ts";

/** `[user@]host[:port]` as it was typed. */
export interface SshTarget {
  readonly user: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
}

const usage = "write it as [user@]host[:port], such as dev@10.0.0.5 or dev@[2001:db8::1]:2222";

/** Also takes `ssh://…`. An IPv6 address with a port stands in brackets, as in a URI (RFC 3986, 3.2.2). @throws AccessError */
export function parseSshTarget(text: string): SshTarget {
  const bare = text.trim().replace(/^ssh:\/\//, "").replace(/\/$/, "");
  const at = bare.lastIndexOf("@");
  const user = at < 0 ? undefined : bare.slice(0, at);
  const place = bare.slice(at + 1);
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(place) ?? [];
  const host = bracketed ?? plain ?? (isIPv6(place) ? place : undefined);
  const port = digits === undefined ? undefined : Number(digits);
  // What begins with a dash, or holds a blank, is a mistake, or an attack on whoever hands it on to a command line.
  if (host === undefined || !/^[A-Za-z0-9_.:%][A-Za-z0-9_.:%-]*$/.test(host)) throw new AccessError(`"${text}" names no machine; ${usage}`);
  if (user !== undefined && !/^[^\s:@/-][^\s:@/]*$/.test(user)) throw new AccessError(`"${user}" in "${text}" is no user name; ${usage}`);
  if (port !== undefined && (port < 1 || port > 65535)) throw new AccessError(`port ${digits} in "${text}" is not between 1 and 65535; ${usage}`);
  return { user, host, port };
}
