import { z } from "zod";
import { absolutePath } from "./absolute-path.ts";
import { conditions } from "./conditions.ts";
import { gitRef, gitUrl } from "./git-url.ts";
import { dnsLabel, type ObjectMeta } from "./meta.ts";
import type { KindDefinition } from "./kind.ts";
import { ownedWhole } from "./list-type.ts";
import type { StatusCause } from "./status-error.ts";

/** Objects that one Source may have; its record of them is part of its status, which has a bound. */
export const sourceObjectsMax = 5000;
/** Entries of lists in the status that only tell people. */
export const sourceToldMax = 20;

const intervalSeconds = z.number().int().min(1).max(24 * 3600);

const spec = z.strictObject({
  directory: ownedWhole(
    z.strictObject({
      path: absolutePath.describe("Absolute path of a directory on the server's machine; the command line takes a relative one as from its manifest. All .yaml, .yml and .json files in it and below are read, except hidden ones and what a .vendettaignore file names."),
      intervalSeconds: intervalSeconds.default(30).describe("Seconds between two full passes; what happens to a file is looked at within a second all the same."),
    }),
  ).optional().describe("A directory of manifests. Exactly one of directory and git."),
  git: ownedWhole(
    z.strictObject({
      url: gitUrl.describe("Where git fetches it from: a URL (https, http, ssh, git, file), user@host:path, or an absolute path on the server's machine. The server's user must be let in without being asked."),
      ref: gitRef.default("HEAD").describe("Branch, tag or commit."),
      path: z.string().max(1024).refine((path) => !path.split("/").includes("..") && !path.startsWith("/") && !path.includes("\0"), "must be a path inside the repository, without '..'").default("").describe("Directory in the repository that holds the manifests. Empty: the whole of it."),
      intervalSeconds: intervalSeconds.default(60).describe("Seconds between two fetches. A repository on this machine is looked at as soon as something is committed, too; to look before that, suspend the Source."),
    }),
  ).optional().describe("A git repository of manifests. Exactly one of directory and git."),
  suspend: z.boolean().default(false).describe("Whether nothing is read and nothing applied: the objects stay as they are."),
  targetNamespace: dnsLabel.optional().describe("Namespace that all objects go to; one that names another is refused. Absent: objects that name none go to default."),
  prune: z.boolean().default(true).describe("Whether a Workspace, Service or Source that vanishes from the set is deleted. Namespaces and Nodes never are, nor what has the annotation vendetta.dev/prune: disabled."),
  maxPrunePercent: z.number().int().min(0).max(100).default(50).describe("When five objects or more would be deleted at once, and they are more than this share of the Source's, nothing is done until 'vendetta source approve'."),
  driftPolicy: z.enum(["revert", "report"]).default("revert").describe("What becomes of fields that somebody else has changed: revert sets them again, report leaves them and says so."),
  force: z.boolean().default(false).describe("Whether objects that were applied by hand or by another Source are taken over."),
});

const objectRef = {
  kind: z.string().describe("Kind of the object."),
  namespace: z.string().optional().describe("Its namespace; absent for a cluster-scoped kind."),
  name: z.string().describe("Its name."),
};

const status = z.strictObject({
  observedGeneration: z.number().int().optional().describe("The metadata.generation that was last acted on: smaller than the current one, this status is of an older spec."),
  conditions: conditions.optional(),
  lastAttemptedRevision: z.string().optional().describe("What was last read: sha256: and a hash of the manifests, or the commit."),
  lastAppliedRevision: z.string().optional().describe("The last one of which all was applied, and pruned what had gone."),
  lastAppliedTime: z.string().optional().describe("When that was, RFC 3339."),
  objects: z.number().int().optional().describe("How many objects the Source has."),
  problems: z
    .array(
      z.strictObject({
        file: z.string().describe("File, below the directory; empty when it is about no file."),
        line: z.number().int().optional().describe("Line in the file, from 1."),
        column: z.number().int().optional().describe("Column in the line, from 1."),
        field: z.string().optional().describe("Path of the field, such as spec.ports[0].port."),
        message: z.string().describe("What is wrong, and with which object."),
      }),
    )
    .optional()
    .describe("What is wrong with what was last read, at most 20 entries. As long as something is, nothing of it is applied."),
  problemCount: z.number().int().optional().describe("How many there are in all."),
  drift: z
    .array(z.strictObject({ ...objectRef, fields: z.array(z.string()).describe("Fields that differ from the manifest, at most 20.") }))
    .optional()
    .describe("Objects that somebody else has changed and that are left so, at most 20 entries."),
  heldPrune: z
    .strictObject({
      approval: z.string().describe("What the annotation vendetta.dev/approvedPrune must be for this to be carried out; 'vendetta source approve' sets it, and the next pass takes it away."),
      count: z.number().int().describe("How many objects would be deleted."),
      objects: z.array(z.string()).describe("Which, at most 20."),
    })
    .optional()
    .describe("What would be deleted, had it been approved."),
  lastSyncRequest: z.string().optional().describe("The value of the annotation vendetta.dev/syncRequestedAt that was last acted on."),
  inventory: z
    .array(z.strictObject({ ...objectRef, uid: z.string().optional().describe("Its uid; absent until it has been made."), hash: z.string().describe("Fingerprint of the manifest that was last applied; empty: none was yet.") }))
    .optional()
    .describe("The objects the Source has, or is about to have: only these are ever pruned."),
});

export type SourceSpec = Readonly<z.infer<typeof spec>>;
export type SourceStatus = Readonly<z.infer<typeof status>>;
export type InventoryEntry = Readonly<NonNullable<SourceStatus["inventory"]>[number]>;

/** A place whose manifests the cluster follows. */
export interface Source {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "Source";
  readonly metadata: ObjectMeta;
  readonly spec: SourceSpec;
  readonly status?: SourceStatus;
}

export const sourceKind: KindDefinition<Source> = {
  group: "vendetta.dev",
  version: "v1alpha1",
  kind: "Source",
  plural: "sources",
  singular: "source",
  shortNames: ["src"],
  categories: ["vendetta"],
  scope: "Cluster",
  description: "A directory or git repository of manifests that the cluster follows.",
  nameSchema: dnsLabel,
  specSchema: spec,
  statusSchema: status,
  printerColumns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: "Objects", type: "integer", jsonPath: ".status.objects" },
    // Deletions that wait for an approval. PruneHeld is also True of what is broken, where there is nothing to approve.
    { name: "Held", type: "integer", jsonPath: ".status.heldPrune.count" },
    { name: "Revision", type: "string", jsonPath: ".status.lastAppliedRevision", priority: 1 },
    { name: "Directory", type: "string", jsonPath: ".spec.directory.path", priority: 1 },
    { name: "Git", type: "string", jsonPath: ".spec.git.url", priority: 1 },
    { name: "Problem", type: "string", jsonPath: ".status.problems[0].message", priority: 1 },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  selectableFields: ["spec.suspend"],
  validate({ spec }): readonly StatusCause[] {
    const given = [spec.directory, spec.git].filter((each) => each !== undefined).length;
    return given === 1 ? [] : [{ field: "spec", message: given === 0 ? "directory or git is required" : "directory and git cannot be given together", reason: given === 0 ? "FieldValueRequired" : "FieldValueForbidden" }];
  },
};
