import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

/** Why no network of the test's own can be made here; undefined when it can. */
export function networkUnavailable(): string | undefined {
  return process.getuid?.() !== 0 ? "a network of the test's own needs root" : undefined;
}

/** Another machine's network: a namespace behind a pair of virtual Ethernet devices, which a test can make swallow everything. */
export interface TestNetwork {
  /** Of the far end, as this machine reaches it. */
  readonly address: string;
  /** Before the words of a command that is to run there. */
  readonly enter: readonly string[];
  /** Runs a command there to its end and answers what it said. */
  run(...argv: readonly string[]): string;
  /** Packets are dropped in both directions, and nobody is told: no end, no reset, no unreachable. What is under way is lost, too. */
  blackhole(): void;
  /** No-op when nothing is swallowed. */
  restore(): void;
  /** Packets that came and were dropped so far. */
  dropped(): number;
  /** Everything that runs there has ended. */
  remove(): void;
}

const run = (...argv: readonly string[]) => execFileSync(argv[0]!, argv.slice(1), { encoding: "utf8", env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` } });
let made = 0;

export function addNetwork(): TestNetwork {
  const name = `vdn${process.pid % 100_000}x${made++}`;
  const [near, far] = [`${name}a`, `${name}b`];
  const enter = ["nsenter", `--net=/run/netns/${name}`];
  run("ip", "netns", "add", name);
  run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name);
  const { nearAddress, address } = addressOf(near);
  run("ip", "link", "set", near, "up");
  run(...enter, "ip", "addr", "add", `${address}/30`, "dev", far);
  for (const device of ["lo", far]) run(...enter, "ip", "link", "set", device, "up");
  run(...enter, "ip", "route", "add", "default", "via", nearAddress);
  const chains = [["INPUT", "-i"], ["OUTPUT", "-o"]] as const;
  const rules = (what: "-I" | "-D") => {
    for (const [chain, way] of chains) run(...enter, "iptables", "-w", what, chain, way, far, "-j", "DROP");
  };
  let isBlack = false;
  return {
    address,
    enter,
    run: (...argv) => run(...enter, ...argv),
    blackhole() {
      if (!isBlack) rules("-I");
      isBlack = true;
    },
    restore() {
      if (isBlack) rules("-D");
      isBlack = false;
    },
    dropped: () => Number(/^\s*(\d+)\s+\d+\s+DROP/m.exec(run(...enter, "iptables", "-w", "-x", "-v", "-n", "-L", "INPUT"))?.[1] ?? 0),
    remove() {
      run("ip", "link", "del", near);
      run("ip", "netns", "del", name);
    },
  };
}

/** Two addresses that nobody else on this machine has: another run of the tests may be choosing at the same moment. */
function addressOf(device: string): { readonly nearAddress: string; readonly address: string } {
  const addresses = () => run("ip", "-o", "-4", "addr");
  for (let attempt = 0; attempt < 100; attempt++) {
    const network = `10.214.${randomInt(256)}.${randomInt(64) * 4}`;
    const at = (host: number) => network.replace(/\d+$/, (last) => String(Number(last) + host));
    const nearAddress = at(1);
    if (addresses().includes(` ${nearAddress}/30 `)) continue;
    run("ip", "addr", "add", `${nearAddress}/30`, "dev", device);
    if (addresses().split(` ${nearAddress}/30 `).length === 2) return { nearAddress, address: at(2) };
    run("ip", "addr", "del", `${nearAddress}/30`, "dev", device);
  }
  throw new Error("no network of 10.214.0.0/16 is free for another machine");
}
