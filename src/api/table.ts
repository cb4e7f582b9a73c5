import type { ObjectMeta } from "./meta.ts";

/** What `meta.k8s.io/v1` Table columns look like. Source: k8s.io/apimachinery metav1.TableColumnDefinition. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is always shown, others with `-o wide` only. */
  readonly priority: number;
}

/** A cell is null when the object has no such value. */
export type TableCell = string | number | boolean | null;

export interface TableRow {
  readonly cells: readonly TableCell[];
  /** PartialObjectMetadata, or the whole object with includeObject=Object; absent with None. */
  readonly object?: { readonly apiVersion: string; readonly kind: string; readonly metadata: ObjectMeta };
}

/** `meta.k8s.io/v1` Table: objects as the server would print them. */
export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string; readonly remainingItemCount?: number };
  /** Of a watch, only the first event's table has them; later ones are empty. */
  readonly columnDefinitions: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}
