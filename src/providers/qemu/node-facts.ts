import { messageOf } from "../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError, type ProviderProbe } from "../provider.ts";
import type { Accelerator, Sharing } from "./machine-argv.ts";
import { acceleratorScript, probeScript } from "./node-scripts.ts";

const probeMsMax = 10_000;
/** The firmware alone takes a quarter of a second, also where it is emulated. */
const firmwareSecondsMax = 4;
const acceleratorMsMax = 60_000;

/** What a node can do for machines. Asked once: it stays so for as long as the node is up. */
export interface NodeFacts {
  /** @throws TransportError, the signal's reason */
  accelerator(): Promise<Accelerator>;
  sharing(): Promise<Sharing>;
  /** The accelerator, if it is known already; else it is looked for meanwhile. */
  acceleratorSoFar(): Accelerator | undefined;
}

export function createNodeFacts(transport: Transport): NodeFacts {
  let accelerator: Promise<Accelerator> | undefined;
  let found: Accelerator | undefined;
  let sharing: Promise<Sharing> | undefined;
  const lookForAccelerator = () => {
    accelerator ??= findAccelerator(transport).then((each) => (found = each));
    // Not for good: the way to the node may have broken.
    accelerator.catch(() => (accelerator = undefined));
    return accelerator;
  };
  return {
    accelerator: lookForAccelerator,
    acceleratorSoFar() {
      void lookForAccelerator().catch(() => {}); // Whoever starts a machine asks again, and is told.
      return found;
    },
    sharing() {
      sharing ??= findSharing(transport);
      sharing.catch(() => (sharing = undefined));
      return sharing;
    },
  };
}

async function findAccelerator(transport: Transport): Promise<Accelerator> {
  const { stdout } = await transport.run(["sh", "-c", acceleratorScript, "sh", String(firmwareSecondsMax)], { timeoutMs: acceleratorMsMax });
  const [kind, rest = ""] = stdout.trim().split(/ (.*)/s);
  return kind === "kvm" ? { kind, cpu: rest } : { kind: "tcg", why: rest || "the accelerator cannot be found out" };
}

/** virtiofsd maps no users and wants to be root; 9p is QEMU's own, and does with what its user may. */
const sharingScript = `
[ "$(id -u)" = 0 ] || exit 0
for each in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd "$(command -v virtiofsd)"; do [ -x "$each" ] && { echo "$each"; exit 0; }; done
`;

async function findSharing(transport: Transport): Promise<Sharing> {
  const { stdout } = await transport.run(["sh", "-c", sharingScript], { timeoutMs: probeMsMax });
  const program = stdout.trim();
  return program === "" ? { by: "9p" } : { by: "virtiofs", program };
}

/** In words, for the Node's status. */
export function acceleratorInWords(accelerator: Accelerator | undefined): string {
  if (accelerator === undefined) return "looking for the accelerator";
  if (accelerator.kind === "tcg") return `emulation (TCG): ${accelerator.why}`;
  return accelerator.cpu === "host" ? "KVM" : "KVM without arch-capabilities";
}

export async function probeNode(transport: Transport, facts: NodeFacts, signal: AbortSignal): Promise<ProviderProbe> {
  const result = await transport.run(["sh", "-c", probeScript], { timeoutMs: probeMsMax, signal }).catch((error: unknown) => messageOf(error));
  if (typeof result === "string") return { usable: false, reason: "Unreachable", message: result };
  const lines = result.stdout.trim().split("\n");
  const missing = lines.filter((line) => line.startsWith("missing ")).map((line) => line.slice("missing ".length));
  if (missing.length > 0) return { usable: false, reason: "NotInstalled", message: `missing on ${transport.name}: ${missing.join(" ")}; on Debian: apt-get install qemu-system-x86 qemu-utils` };
  const version = /version (\S+)/.exec(lines.at(-1) ?? "")?.[1];
  return version === undefined ? { usable: false, reason: "NotInstalled", message: `qemu-system-x86_64 on ${transport.name} does not tell its version` } : { usable: true, version, message: acceleratorInWords(facts.acceleratorSoFar()) };
}

/** The accelerator for a machine. @throws ProviderError AcceleratorMissing when the wish cannot be met */
export async function acceleratorFor(facts: NodeFacts, wish: "kvm" | "tcg" | undefined, name: string): Promise<Accelerator> {
  if (wish === "tcg") return { kind: "tcg", why: "asked for" };
  const accelerator = await facts.accelerator();
  if (wish === "kvm" && accelerator.kind === "tcg") throw new ProviderError("AcceleratorMissing", `spec.qemu.accelerator kvm: on ${name} ${accelerator.why}; without that field it is emulated`, true);
  return accelerator;
}
