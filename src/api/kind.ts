import type { z } from "zod";
import type { StatusCause } from "./status-error.ts";
import type { StoredObject } from "./meta.ts";
import type { TableCell } from "./table.ts";

/** A column of `get`, as in a CustomResourceDefinition's additionalPrinterColumns. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  /** A simple JSONPath from the object's root: `.spec.image`, `.status.conditions[?(@.type=="Ready")].status`. */
  readonly jsonPath: string;
  readonly description?: string;
  /** 0 is always shown, 1 with `-o wide` only. Default 0. */
  readonly priority?: 0 | 1;
}

/** What can be done with objects that are made from others whenever they are asked for. Everything else is MethodNotAllowed. */
export interface KindView {
  readonly verbs: readonly ("delete" | "get" | "list" | "watch")[];
  /** Paths below an object that are answered besides. */
  readonly subresources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly ("create" | "get")[] }[];
  /** Ends the refusal of a write: what to write instead. */
  readonly insteadOfWriting: string;
}

/**
 * Everything there is to know of a kind, in one record: the store, the server, the CLI's tables, the CRDs and the
 * controllers' types are all derived from it.
 */
export interface KindDefinition<T extends StoredObject = StoredObject> {
  /** "" for core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: "Cluster" | "Namespaced";
  /** One sentence for `explain` and the CRD. */
  readonly description: string;
  /** Schema of the name: a DNS label or a subdomain. */
  readonly nameSchema: z.ZodType<string>;
  /** Of a spec as a user writes it; parsing fills in defaults and refuses unknown fields. Absent for kinds without one. */
  readonly specSchema?: z.ZodType;
  /** Of the status. Written by controllers only, through `updateStatus`. Absent for kinds without a status subresource. */
  readonly statusSchema?: z.ZodType;
  /** Top-level fields other than apiVersion, kind, metadata, spec, status: core/v1 Event has them. */
  readonly rootSchema?: z.ZodObject;
  readonly printerColumns: readonly PrinterColumn[];
  /** Cells of all printer columns, for a kind whose columns are more than a field: their jsonPath then only says where they come from. */
  readonly cellsOf?: (object: T, nowMs: number) => readonly TableCell[];
  /** "own": the printer columns have one of their own. Default "first": it comes before them. */
  readonly nameColumn?: "first" | "own";
  /** Paths that field selectors may name, besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Rules over one object that the schema cannot say. Pure. */
  readonly validate?: (object: T, old: T | undefined) => readonly StatusCause[];
  /** Present: no store holds such objects; they are a view of others. */
  readonly view?: KindView;
}

/** `workspaces.vendetta.dev`, `namespaces`: what Kubernetes calls a resource in its messages. */
export function qualifiedResource({ group, plural }: { readonly group: string; readonly plural: string }): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/** `Workspace.vendetta.dev`, `Namespace`: what Kubernetes calls a kind in its messages. */
export function qualifiedKind({ group, kind }: { readonly group: string; readonly kind: string }): string {
  return group === "" ? kind : `${kind}.${group}`;
}

export function apiVersionOf(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** Whether Kubernetes has the kind too: clients then have a type of their own for it, and may speak of it in other forms than JSON. */
export function isBuiltin(kind: { readonly group: string }): boolean {
  return kind.group !== "vendetta.dev";
}
