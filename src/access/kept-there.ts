import { messageOf } from "../base/errors.ts";
import type { Transport } from "../transports/transport.ts";
import { AccessError, type KeptThere } from "./access.ts";

const commandMsMax = 20_000;
const pathsMax = 50;

/** $1 the cluster. One path a line of what its engines keep on purpose, below the home: directories of plain processes, disks, volumes and images of LXC. */
const script = `
cd "$HOME/.local/share/vendetta/$1/instances" 2>/dev/null || exit 0
for each in work/* lxc-work/* lxc-images/*; do
  [ -d "$each" ] && [ -n "$(ls -A "$each")" ] && echo "$PWD/$each"
done
true
`;

/** What a cluster's Workspaces have left on a machine. Looks, and changes nothing. @throws AccessError */
export async function keptThere(transport: Transport, cluster: string, signal: AbortSignal): Promise<KeptThere> {
  try {
    const { code, stdout, stderr } = await transport.run(["sh", "-c", script, "sh", cluster], { timeoutMs: commandMsMax, signal });
    if (code !== 0) throw new Error(stderr.trim() || `sh ended with exit code ${code}`);
    const paths = stdout.split("\n").filter((line) => line !== "");
    return { paths: paths.slice(0, pathsMax), more: Math.max(0, paths.length - pathsMax) };
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AccessError(`cannot look what is kept on ${transport.name}: ${messageOf(error)}`, { cause: error });
  }
}
