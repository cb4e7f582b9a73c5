import { execFileSync } from "node:child_process";

/**
 * A network of its own (network_namespaces(7)) for each test file of the upper rungs: ports, bridges and rules of iptables of
 * one file are no other's then, neither of this run nor of another one on this machine. Processes and files are everybody's.
 */
const enter = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** Names the network outside, for what is inside. */
const outsideVariable = "VENDETTA_TEST_MACHINE_NETWORK";

/** Why a test file cannot have a network of its own here; undefined when it can. */
export function ownNetworkUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return "a network of their own needs root";
  try {
    execFileSync(enter[0]!, [...enter.slice(1), "true"], { stdio: ["ignore", "ignore", "pipe"], timeout: 10_000 });
    return undefined;
  } catch (error) {
    return `a network of their own cannot be made: ${(error as Error).message.trim()}`;
  }
}

/** The command, in a network that has loopback and nothing else and goes with its last process; and what its environment needs. */
export function inOwnNetwork(argv: readonly string[]): { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  return { argv: [...enter, ...argv], env: { [outsideVariable]: `/proc/${process.pid}/ns/net` } };
}

/** The command, in the network that the whole run was started in: for what must be fetched, as from npm or Debian. */
export function inMachineNetwork(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): readonly string[] {
  const network = env[outsideVariable];
  return network === undefined ? argv : ["nsenter", `--net=${network}`, ...argv];
}
