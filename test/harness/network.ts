import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";

/** A network namespace with a loopback interface of its own: what is in there is another machine to all that goes by sockets. */
export interface TestNetwork {
  /** As `ip netns` has it. */
  readonly name: string;
  /** Where it is reached from here. */
  readonly address: string;
  /** Runs a command in there to its end and answers what it said. */
  run(...argv: readonly string[]): string;
  close(): void;
}

export function createNetwork(): TestNetwork {
  const id = randomBytes(4);
  const name = `vd-${id.toString("hex")}`;
  const [outside, inside] = [`vd${id.toString("hex")}o`, `vd${id.toString("hex")}i`];
  // 198.18.0.0/15 is nobody's (RFC 2544); each network takes four addresses of it.
  const [second, third, fourth] = [18 + (id[0]! & 1), id[1]!, id[2]! & 0xfc];
  const address = (last: number) => `198.${second}.${third}.${fourth + last}`;
  const ip = (...argv: readonly string[]) => execFileSync("ip", argv, { encoding: "utf8" });
  ip("netns", "add", name);
  ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
  ip("addr", "add", `${address(1)}/30`, "dev", outside);
  ip("link", "set", outside, "up");
  ip("-n", name, "addr", "add", `${address(2)}/30`, "dev", inside);
  ip("-n", name, "link", "set", inside, "up");
  ip("-n", name, "link", "set", "lo", "up");
  return {
    name,
    address: address(2),
    run: (...argv) => ip("netns", "exec", name, ...argv),
    close: () => void ip("netns", "del", name),
  };
}
