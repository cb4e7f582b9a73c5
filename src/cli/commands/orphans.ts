import type { Node } from "../../api/node.ts";
import { humanDuration } from "../../api/human-duration.ts";
import { listOf, outputFormat } from "../output.ts";
import type { Session } from "../session.ts";
import { tableLines } from "../table-text.ts";

export interface OrphansOptions {
  readonly output?: string | undefined;
  readonly headers?: boolean | undefined;
}

/** `get orphans`: what runs in an engine under this cluster's name and belongs to no Workspace, as the Nodes' status tells. */
export async function orphans(session: Session, options: OrphansOptions): Promise<void> {
  const format = await outputFormat(options.output);
  const nodes = (await (await session.connect()).list("Node")).items;
  const found = nodes.flatMap((node: Node) => (node.status?.orphans ?? []).map((orphan) => ({ node: node.metadata.name, ...orphan })));
  if (format.type === "object") return void session.world.stdout.write(format.render(listOf(found.map(({ instanceId, ...rest }) => ({ kind: "Orphan", metadata: { name: instanceId }, ...rest })))));
  if (found.length === 0) return session.tell("No orphans found. Every engine that answers is listed every 10 s.");
  const { clock, stdout } = session.world;
  const rows = found.map((each) => [each.instanceId, each.provider, each.node, each.workspace, humanDuration(clock.now() - Date.parse(each.firstSeenTime))]);
  for (const line of tableLines({ header: ["INSTANCE", "PROVIDER", "NODE", "WORKSPACE", "SEEN FOR"], rows }, { style: session.outStyle, header: options.headers !== false, columns: stdout.isTTY === true ? stdout.columns : undefined })) session.print(line);
  session.tell("Each is removed half a minute after it was first seen; its volumes are kept.");
}
