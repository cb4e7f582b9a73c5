import { readFile, readdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import sshConfig from "ssh-config";
import { codeOf, messageOf } from "../base/errors.ts";
import { jumpsMax } from "../api/ssh-reach.ts";
import { AccessError, type SshMachine } from "./access.ts";
import { parseSshTarget } from "./ssh-target.ts";

/** What of this process decides how a machine is meant. */
export interface SshUser {
  readonly home: string;
  readonly name: string;
  /** SSH_AUTH_SOCK. */
  readonly agentSocket: string | undefined;
}

export interface ResolveOptions {
  /** As `-J`, one machine or several with commas between; stronger than the configuration. */
  readonly jump?: string | undefined;
  /** As `-i`: tried before all others. */
  readonly identity?: string | undefined;
}

/** sshd takes six attempts on a connection (MaxAuthTries), the agent's and the cluster's key among them. */
export const identityFilesMax = 4;

/** The configuration of a user, and of the system behind it: text, for each host the first value counts. */
export async function readSshConfig(home: string): Promise<string> {
  const texts = await Promise.all([readText(join(home, ".ssh", "config"), home), readText("/etc/ssh/ssh_config", home)]);
  // "Host *": what the first text leaves open at its end must not swallow the beginning of the second.
  return texts.join("\nHost *\n");
}

/** Names of keys in ~/.ssh, as ssh-keygen gives them; ed25519 first. */
export async function usualKeys(home: string): Promise<readonly string[]> {
  const names = await readdir(join(home, ".ssh")).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw new AccessError(`Cannot look into ${join(home, ".ssh")} for keys: ${messageOf(error)}`, { cause: error });
  });
  const rank = (name: string) => (name === "id_ed25519" ? 0 : name === "id_rsa" ? 2 : 1);
  return names.filter((name) => name.startsWith("id_") && !name.endsWith(".pub")).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).map((name) => join(home, ".ssh", name));
}

/**
 * What a target means, after ssh_config(5): HostName, User, Port, IdentityFile, IdentityAgent, ProxyJump. `Match exec`
 * matches nothing, and names are not made canonical.
 * @throws AccessError
 */
export function resolveMachine(target: string, config: string, user: SshUser, usual: readonly string[], { jump, identity }: ResolveOptions = {}, jumps = 0): SshMachine {
  const typed = parseSshTarget(target);
  const found = settingsOf(config, typed.host, typed.user);
  const name = typed.user ?? found.one("User") ?? user.name;
  const host = expand(found.one("HostName") ?? typed.host, { h: typed.host });
  const port = typed.port ?? Number(found.one("Port") ?? 22);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new AccessError(`~/.ssh/config gives ${typed.host} the port "${found.one("Port")}", which is none; correct it, or name one: ${typed.host}:22`);
  const tokens = { d: user.home, h: host, n: typed.host, r: name, u: user.name, p: String(port) };
  const pathOf = (text: string) => {
    const path = expand(text.replace(/^~(?=\/|$)/, user.home), tokens);
    return isAbsolute(path) ? path : join(user.home, ".ssh", path);
  };
  const identities = [...found.all("IdentityFile").filter((each) => each.toLowerCase() !== "none").map(pathOf), ...usual];
  const agent = found.one("IdentityAgent");
  const agentSocket = agent === undefined || agent === "SSH_AUTH_SOCK" ? user.agentSocket : agent === "none" ? undefined : pathOf(agent);
  const through = jump ?? found.one("ProxyJump");
  if (jump === undefined && (through === undefined || through === "none") && ![undefined, "none"].includes(found.one("ProxyCommand"))) {
    throw new AccessError(`~/.ssh/config reaches ${typed.host} by a ProxyCommand, which is not run here; name a machine to go through with ProxyJump or --jump`);
  }
  return {
    alias: typed.host,
    host,
    port,
    user: name,
    ...(identity === undefined ? {} : { identity }),
    identityFiles: [...new Set(identities)].slice(0, identityFilesMax),
    ...(agentSocket === undefined || agentSocket === "" ? {} : { agentSocket }),
    ...(through === undefined || through === "none" ? {} : { jump: jumpMachine(through, typed.host, config, user, usual, jumps) }),
  };
}

/**
 * The last machine of a list such as "a,b": the one before it is the way there, whatever the configuration has for it; the first
 * one's own way is the configuration's, as with ssh. @param before how many machines come after it already
 */
function jumpMachine(text: string, target: string, config: string, user: SshUser, usual: readonly string[], before: number): SshMachine {
  const comma = text.lastIndexOf(",");
  const [earlier, name] = [comma < 0 ? undefined : text.slice(0, comma).trim(), text.slice(comma + 1).trim()];
  if (name === "" || earlier === "") throw new AccessError(`${target} is reached through "${text}", in which a machine is missing between commas`);
  // A configuration may well lead round in a circle.
  if (before >= jumpsMax) throw new AccessError(`${target} is reached through more than ${jumpsMax} machines, or through one that is reached through itself (${name}); look at ProxyJump in ~/.ssh/config`);
  return resolveMachine(name, config, user, usual, { jump: earlier }, before + 1);
}

/** The library would run nslookup for it, and wait as long as that takes. */
const canonicalization = /^[ \t]*canonicalizehostname[ \t=].*$/gim;

/** Values of the configuration for a host, names in any case. */
function settingsOf(config: string, host: string, user: string | undefined) {
  let computed: Readonly<Record<string, string | string[]>>;
  try {
    computed = sshConfig.parse(config.replace(canonicalization, "")).compute({ Host: host, ...(user === undefined ? {} : { User: user }) }, { ignoreCase: true, matchExec: false });
  } catch (error) {
    throw new AccessError(`Cannot read ~/.ssh/config: ${messageOf(error)}; correct it ('ssh -G ${host}' tells more)`, { cause: error });
  }
  const byName = new Map(Object.entries(computed).map(([name, value]) => [name.toLowerCase(), typeof value === "string" ? [value] : value]));
  return {
    one: (name: string): string | undefined => byName.get(name.toLowerCase())?.[0],
    all: (name: string): readonly string[] => byName.get(name.toLowerCase()) ?? [],
  };
}

const expand = (text: string, tokens: Readonly<Record<string, string>>) => text.replace(/%([%a-zA-Z])/g, (whole, token: string) => (token === "%" ? "%" : (tokens[token] ?? whole)));

const includeDepthMax = 8;

/** With what it includes in the place of the Include, as long as that stands outside of every Host and Match; "" when there is no such file. */
async function readText(path: string, home: string, depth = 0): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw new AccessError(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  const lines: string[] = [];
  let inSection = false;
  for (const line of text.split(/\r?\n/)) {
    inSection ||= /^\s*(host|match)[\s=]/i.test(line);
    const [, names] = /^\s*include[\s=]+(.+)$/i.exec(line) ?? [];
    if (names === undefined || inSection || depth >= includeDepthMax) {
      lines.push(line);
      continue;
    }
    for (const name of names.trim().split(/\s+/)) for (const file of await filesOf(name.replaceAll('"', ""), path, home)) lines.push(await readText(file, home, depth + 1), "Host *");
  }
  return lines.join("\n");
}

/** ssh_config(5): names without a directory are in ~/.ssh, or beside the system's; `*` and `?` in the last part match. */
async function filesOf(name: string, from: string, home: string): Promise<readonly string[]> {
  const expanded = name.replace(/^~(?=\/)/, home);
  const path = isAbsolute(expanded) ? expanded : join(from.startsWith("/etc/ssh/") ? "/etc/ssh" : join(home, ".ssh"), expanded);
  const directory = path.slice(0, path.lastIndexOf("/"));
  const last = path.slice(directory.length + 1);
  if (!/[*?]/.test(last)) return [path];
  const pattern = new RegExp(`^${last.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`);
  // A directory that is not there has no files to include.
  const names = await readdir(directory).catch(() => []);
  return names.filter((each) => pattern.test(each) && !each.startsWith(".")).sort().map((each) => join(directory, each));
}
