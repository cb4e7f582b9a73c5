import type { ProviderProbe } from "../provider.ts";
import { ProviderError } from "../provider.ts";
import { idMapOf, type IdMap } from "./id-map.ts";
import { probeScript } from "./look-scripts.ts";
import { runScript, type NodeShell } from "./node-shell.ts";

const probeTimeoutMs = 10_000;

/** What a node can do for containers. */
export interface LxcNode {
  readonly answer: ProviderProbe;
  /** As Debian names it. */
  readonly architecture: string;
  /** Which of the node's ids are for containers; undefined: none. */
  readonly idMap: IdMap | undefined;
}

const architectures: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64", armv7l: "armhf", i686: "i386" };

/** Never throws for trouble of the node: that is the answer. @throws the signal's reason */
export async function probeNode(shell: NodeShell, signal: AbortSignal): Promise<LxcNode> {
  try {
    return readProbe(await runScript(shell, probeScript, [], { signal, timeoutMs: probeTimeoutMs }), shell.transport.name);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return { answer: { usable: false, reason: "Unreachable", message: error.message }, architecture: "", idMap: undefined };
  }
}

/** Reads what `probeScript` printed. `where` names the machine in messages. */
export function readProbe(text: string, where: string): LxcNode {
  const lines = text.split("\n");
  const said = (word: string) => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const machine = said("machine")[0] ?? "";
  const canMap = !lines.includes("missing-usernsexec");
  const idMap = canMap ? idMapOf(said("subuid").join("\n"), said("subgid").join("\n")) : undefined;
  const node = { architecture: architectures[machine] ?? machine, idMap };
  const missing = [...new Set(said("missing"))];
  if (missing.length > 0) return { ...node, answer: { usable: false, reason: "NotInstalled", message: `missing on ${where}: ${missing.join(", ")} (Debian: apt-get install ${missing.join(" ")})` } };
  if (said("uid")[0] !== "0") return { ...node, answer: { usable: false, reason: "PermissionDenied", message: `containers of LXC with limits and a network need root on ${where}; let vendetta in as root there` } };
  const remarks = [
    idMap === undefined ? "root inside is root of the node, which has no subordinate ids for root (root:START:65536 in /etc/subuid and /etc/subgid, package uidmap)" : "unprivileged",
    ...(lines.includes("missing-firewall") ? ["containers reach nothing beyond the node, which has neither iptables nor nft"] : []),
  ];
  return { ...node, answer: { usable: true, version: said("version")[0] ?? "", message: remarks.join("; ") } };
}
