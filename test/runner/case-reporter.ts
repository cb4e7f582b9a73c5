import type { TestEvent } from "node:test/reporters";

/** How one case of a suite ended. */
export interface CaseResult {
  /** Name of the outermost suite; "" for a case in none. */
  readonly suite: string;
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  /** Why it was skipped; "" when nobody said. */
  readonly reason: string;
}

interface EventData {
  readonly name: string;
  readonly nesting: number;
  readonly skip?: string | boolean | undefined;
  readonly details?: { readonly type?: string } | undefined;
}

/** A reporter of node's own runner: a line of JSON (`CaseResult`) for each case that stands in no more than one suite. */
async function* reportCases(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let suite = "";
  for await (const { type, data } of source as AsyncIterable<{ readonly type: string; readonly data: EventData }>) {
    if (type === "test:start" && data.nesting === 0) suite = data.name;
    if ((type !== "test:pass" && type !== "test:fail") || data.nesting > 1 || data.details?.type === "suite") continue;
    const skipped = data.skip !== undefined && data.skip !== false;
    const result: CaseResult = { suite: data.nesting === 0 ? "" : suite, name: data.name, result: skipped ? "skipped" : type === "test:pass" ? "passed" : "failed", reason: typeof data.skip === "string" ? data.skip : "" };
    yield `${JSON.stringify(result)}\n`;
  }
}

// Node looks for a reporter under this name and no other.
export { reportCases as default };
