import { findCondition } from "../../src/api/conditions.ts";
import { syncRequestAnnotation } from "../../src/api/annotations.ts";
import type { Source } from "../../src/api/source.ts";
import { sleep } from "../../src/base/clock.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import { withoutApproval } from "./approval.ts";
import { fingerprint } from "../fingerprint.ts";
import { carryOut } from "./carry-out.ts";
import { eventsOf, shortRevision, summaryOf } from "./events.ts";
import { nextInventory } from "./inventory.ts";
import { keepLastGood } from "./keep-last-good.ts";
import type { SourceMemory } from "./memory.ts";
import { observeSource } from "./observe.ts";
import type { SourceControllerParts } from "./parts.ts";
import { planSource } from "./plan.ts";
import { sourceStatus, type PassResult } from "./status.ts";
import { refKey, type SourcePlan } from "./steps.ts";

type ReadSet = Extract<Reading, { readonly kind: "read" }>;
/** unreadable: nothing is known of what should be there. waiting: something is going. */
export type PassEnd = "settled" | "waiting" | "unreadable";

/** A repository that has not answered by then is said to be asked. */
const slowMs = 2_000;

/** What would be done now. */
export async function planOf(parts: SourceControllerParts, source: Source, reading: ReadSet, memory: SourceMemory, signal: AbortSignal): Promise<SourcePlan> {
  return planSource(source, await observeSource(parts, source, reading, memory, signal));
}

/** One pass over one Source: read all of its set, plan, act, say how it went. */
export class SourcePass {
  readonly #parts: SourceControllerParts;
  readonly #memory: SourceMemory;
  readonly #syncRequest: string | undefined;
  #source: Source;
  #stale: ReadSet["stale"];
  #missing: string | undefined;
  #hasReverted = false;
  #isApproved = false;

  constructor(parts: SourceControllerParts, source: Source, memory: SourceMemory) {
    this.#parts = parts;
    this.#source = source;
    this.#memory = memory;
    this.#syncRequest = source.metadata.annotations?.[syncRequestAnnotation];
  }

  /** Whether it set again what somebody else had changed. */
  get hasReverted(): boolean {
    return this.#hasReverted;
  }

  async run(signal: AbortSignal): Promise<PassEnd> {
    const isAsked = this.#syncRequest !== this.#source.status?.lastSyncRequest;
    const reading = await this.#read(isAsked, signal);
    this.#stale = reading.stale;
    if (reading.kind === "unreadable") {
      await this.#endWithoutSet(reading, signal);
      // What is too much takes long to find out, and is not less in a moment.
      return reading.reason === "TooLarge" ? "settled" : "unreadable";
    }
    const { revision } = reading;
    this.#missing = reading.missing;
    const seen = await observeSource(this.#parts, this.#source, reading, this.#memory, signal);
    const plan = planSource(this.#source, seen);
    // One that was not needed goes before anything is recorded or done: were the pass cut off, it could serve for what vanishes later.
    this.#isApproved = plan.kind === "go" && plan.isApproved;
    if (!this.#isApproved) await this.#forgetApproval();
    if (plan.kind !== "go") {
      // What is held is a set, and says what is wanted; what is refused is none.
      if (plan.kind === "held") await this.end({ ...plan, revision });
      else await this.#endWithoutSet({ ...plan, revision }, signal);
      return "settled";
    }
    // INV-1: what is about to be made is on record before it is made, and what is about to go stays there until it has been asked to.
    if (plan.claims.length !== (this.#source.status?.inventory ?? []).length) await this.#write({ kind: "begun", revision, inventory: plan.claims });
    for (const { type, reason, message, about } of eventsOf(this.#source, plan.steps)) this.#parts.recorder.event(about, type, reason, message);
    this.#hasReverted = plan.steps.some((step) => step.do === "revert");
    // From here on it may be no more what there is: a pass that fails half way leaves no set to go back to.
    this.#memory.lastGood = undefined;
    const done = await carryOut({ store: this.#parts.store, source: this.#source.metadata.name, reverts: this.#source.spec.driftPolicy === "revert", signal }, plan.steps);
    const waiting = plan.steps.filter((step) => step.do === "await").map(({ wanted }) => refKey(wanted));
    await this.end({ kind: "done", revision, drift: plan.drift, failures: done.failures, waiting, inventory: nextInventory(plan.claims, plan.steps, seen, done) });
    const { name } = this.#source.metadata;
    const told = summaryOf(plan.steps);
    if (told !== "") this.#parts.recorder.event(this.#source, "Normal", "Applied", `${shortRevision(revision)}: ${told}`);
    if (done.failures.length > 0) throw new Error(`${done.failures.length} of what Source "${name}" was to do could not be done: ${done.failures[0]!.message}`);
    if (waiting.length > 0) return "waiting";
    this.#memory.lastGood = { generation: this.#source.metadata.generation, wanted: seen.wanted };
    return "settled";
  }

  /** There is no set that could be applied: the last one stays in force, as long as it is known. */
  async #endWithoutSet(result: Extract<PassResult, { readonly kind: "unreadable" | "refused" }>, signal: AbortSignal): Promise<void> {
    await this.#forgetApproval();
    const kept = await keepLastGood(this.#parts, this.#source, this.#memory, signal);
    this.#hasReverted = kept?.hasReverted ?? false;
    await this.end({ ...result, kept });
    if (kept !== undefined && kept.failures.length > 0) throw new Error(`what Source "${this.#source.metadata.name}" had applied last could not be set again: ${kept.failures[0]!.message}`);
  }

  /** What there is to read. Whoever waits for it, as the spec is new or somebody asked, is told when that takes long. */
  async #read(isAsked: boolean, signal: AbortSignal): Promise<Reading> {
    const { reader, clock } = this.#parts;
    const { spec, status, metadata: { generation } } = this.#source;
    const reading = reader.read(this.#source, { fresh: isAsked, signal });
    if (spec.git === undefined || (!isAsked && status?.observedGeneration === generation)) return await reading;
    const done = new AbortController();
    const slow = sleep(clock, slowMs, done.signal).then(() => this.#write({ kind: "fetching" }), () => {});
    const [read, told] = await Promise.allSettled([reading.finally(() => done.abort()), slow]);
    if (read.status === "rejected") throw read.reason;
    if (told.status === "rejected") throw told.reason;
    return read.value;
  }

  /**
   * Ends the pass: says how it went. What was approved goes before that is on record, for what is held now was not approved yet; a pass that is
   * cut off until then may still need it.
   */
  async end(result: PassResult): Promise<void> {
    await this.#forgetApproval();
    await this.#write(result);
  }

  async #forgetApproval(): Promise<void> {
    const { store, recorder } = this.#parts;
    const without = withoutApproval(this.#source);
    if (without === undefined) return;
    this.#source = await store.update("Source", without);
    if (!this.#isApproved) recorder.event(this.#source, "Normal", "ApprovalForgotten", "an approval of deletions was not for what is held now, and counts no more");
  }

  /** Writes the status if it differs, and tells of it. */
  async #write(result: PassResult): Promise<void> {
    const { clock, store, recorder } = this.#parts;
    const before = this.#source;
    const status = sourceStatus(before, result, { nowMs: clock.now(), stale: this.#stale, missing: this.#missing, syncRequest: this.#syncRequest });
    if (fingerprint(status) === fingerprint(before.status)) return;
    this.#source = await store.updateStatus("Source", { ...before, status });
    const [old, now] = [before.status, status].map((each) => findCondition(each?.conditions, "Ready"));
    if (now !== undefined && (now.status !== old?.status || now.reason !== old.reason || (now.status === "False" && now.message !== old.message))) {
      recorder.event(this.#source, now.status !== "False" || now.reason === "Suspended" ? "Normal" : "Warning", now.reason, now.message);
    }
  }
}
