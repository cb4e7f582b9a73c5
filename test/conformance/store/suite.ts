import { describe } from "node:test";
import { applyTests } from "./suite-apply.ts";
import type { MakeStore, Skips } from "./fixture.ts";
import { readTests } from "./suite-reads.ts";
import { removalTests } from "./suite-removal.ts";
import { watchTests } from "./suite-watch.ts";
import { writeTests } from "./suite-writes.ts";

/**
 * Holds an implementation of Store to the words of src/store/store.ts. Uses the interface only.
 * @param make a new store for each test
 * @param skips what this implementation cannot be asked, each with the reason
 */
export function storeConformance(name: string, make: MakeStore, skips: Skips = {}): void {
  describe(`Store conformance: ${name}`, () => {
    writeTests(make, skips);
    applyTests(make, skips);
    removalTests(make);
    readTests(make, skips);
    watchTests(make, skips);
  });
}
