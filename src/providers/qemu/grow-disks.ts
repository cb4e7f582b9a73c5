import { messageOf } from "../../base/errors.ts";
import { ProviderError, type DiskSizes } from "../provider.ts";
import { diskFile, diskNode, keptNode } from "./machine-argv.ts";
import type { MachineSeen } from "./machine-record.ts";
import type { NodeMachines } from "./node-machines.ts";

/** $1 "qcow2" or "raw", $2 file, $3 bytes. */
const growScript = `
if [ "$1" = qcow2 ]; then exec qemu-img resize -q -f qcow2 "$2" "$3"; fi
[ -f "$2" ] || exit 0
exec truncate -s "$3" "$2"
`;

interface Growth {
  /** As QEMU names it. */
  readonly node: string;
  readonly format: "qcow2" | "raw";
  readonly file: string;
  readonly bytes: number;
}

/** Makes a machine's disks larger: by QEMU while it runs, so that the guest is told at once. Smaller ones would lose what lies beyond. */
export async function growDisks(machines: NodeMachines, seen: MachineSeen, wish: DiskSizes, signal: AbortSignal): Promise<void> {
  const { id, run, disks } = seen;
  const { home, work } = await machines.places(id);
  const growths: Growth[] = [];
  if (disks.own !== undefined && wish.own !== undefined && disks.own < wish.own) growths.push({ node: diskNode, format: "qcow2", file: `${home}/disk.qcow2`, bytes: wish.own });
  for (const [name, bytes] of Object.entries(wish.more)) {
    const now = disks.more[name];
    if (now !== undefined && now < bytes) growths.push({ node: keptNode(name), format: "raw", file: diskFile(work, name), bytes });
  }
  for (const { node, format, file, bytes } of growths) {
    // QEMU counts in sectors.
    const whole = Math.ceil(bytes / 512) * 512;
    const failed = (why: string, cause?: unknown) => new ProviderError("GrowFailed", `${file} of ${id} cannot be made to hold ${whole} bytes: ${why}`, true, { cause });
    if (run?.alive === true) {
      await machines.monitor(run, ({ ask }) => ask("block_resize", { "node-name": node, size: whole }), signal).catch((error: unknown) => {
        throw error instanceof ProviderError && error.reason === "QemuRefused" ? failed(messageOf(error), error) : error;
      });
    } else {
      const { code, stderr } = await machines.script(growScript, [format, file, String(whole)], { signal });
      if (code !== 0) throw failed(stderr.trim().slice(0, 500));
    }
  }
}
