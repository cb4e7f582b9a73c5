import { z } from "zod";
import type { InstanceSpec } from "../provider.ts";

const mount = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("bind"), source: z.string(), target: z.string(), readOnly: z.boolean() }),
  z.object({ kind: z.literal("volume"), name: z.string(), target: z.string(), readOnly: z.boolean() }),
  z.object({ kind: z.literal("tmpfs"), target: z.string(), sizeBytes: z.number().optional() }),
]);

/** What `instance.json` holds: written last, so that a directory without it is a half-made instance. */
export const lxcRecord = z.object({
  owner: z.object({ cluster: z.string(), uid: z.string(), namespace: z.string(), name: z.string() }),
  generation: z.number(),
  specHash: z.string(),
  hostname: z.string(),
  /** To make it again when it was removed. */
  image: z.object({ reference: z.string(), checksum: z.string().optional(), dir: z.string() }),
  env: z.record(z.string(), z.string()),
  workingDir: z.string().optional(),
  user: z.string().optional(),
  mounts: z.array(mount),
  limits: z.object({ cpus: z.number().optional(), memoryBytes: z.number().optional(), pidsMax: z.number().optional() }),
  network: z.enum(["bridge", "empty"]),
  /** Somebody else's bridge to join. */
  bridge: z.string().optional(),
  privileged: z.boolean(),
  idMap: z.object({ uidStart: z.number(), gidStart: z.number(), count: z.number() }).optional(),
  /** overlay: what differs from the image; copy: a copy of it, by reference where the file system can. */
  disk: z.enum(["overlay", "copy"]),
  /** waits: the image has no init, so that it gets one that does nothing but wait. */
  init: z.object({ haltSignal: z.string(), waits: z.boolean() }),
});
export type LxcRecord = z.infer<typeof lxcRecord>;

/** The Workspace's block for this provider, which its schema has validated. */
export const lxcEngine = z.object({ network: z.enum(["bridge", "empty"]).optional(), bridge: z.string().optional(), privileged: z.boolean().optional() });

/** What is known of the instance before its image and its disk are. */
export function recordOfSpec(spec: InstanceSpec): Omit<LxcRecord, "image" | "idMap" | "disk" | "init"> {
  const { owner, generation, specHash, hostname, env, workingDir, user, mounts, resources: { cpus, memoryBytes, pidsMax } } = spec;
  const { network = "bridge", bridge, privileged = false } = lxcEngine.parse(spec.engine);
  return { owner, generation, specHash, hostname, env: { ...env }, workingDir, user, mounts: [...mounts], limits: { cpus, memoryBytes, pidsMax }, network, bridge, privileged };
}
