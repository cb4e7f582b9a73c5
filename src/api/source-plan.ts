/** Answer of `GET …/sources/NAME/plan`: what a sync would do now, and does not do. */
export interface SourcePlanAnswer {
  readonly apiVersion: "vendetta.dev/v1alpha1";
  readonly kind: "SourcePlan";
  readonly metadata: { readonly name: string };
  /** Ready: the steps would be carried out. PruneHeld: not before they are approved. Otherwise there are none, and `message` or `problems` say why. */
  readonly outcome: "Ready" | "PruneHeld" | "Invalid" | "Refused" | "NotFound" | "Unreadable";
  readonly message?: string;
  /** Of what was read. */
  readonly revision?: string;
  readonly problems: readonly { readonly file: string; readonly line?: number; readonly column?: number; readonly field?: string; readonly message: string }[];
  readonly steps: readonly SourcePlanStep[];
  /** Fields that others have changed and that would stay so. */
  readonly drift: readonly { readonly kind: string; readonly namespace?: string; readonly name: string; readonly fields: readonly string[] }[];
}

export interface SourcePlanStep {
  readonly action: "created" | "configured" | "reverted" | "adopted" | "pruned" | "released" | "awaited";
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** What it does to what runs, or why it is done: the end of a sentence. */
  readonly note?: string;
  /** The object as it is stored, and as it would be. Absent: there is none. */
  readonly before?: object;
  readonly after?: object;
}
