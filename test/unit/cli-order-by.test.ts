import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { orderBy } from "../../src/cli/order-by.ts";

describe("orderBy", () => {
  const ordered = (...values: readonly unknown[]) => orderBy("a.b")([values], (value) => ({ a: value === undefined ? {} : { b: value } }))[0];
  for (const [what, values, expected] of [
    ["numbers by size", [10, 9, 100], [9, 10, 100]],
    ["quantities by size", ["1Gi", "900Mi", "2", "500m"], ["500m", "2", "900Mi", "1Gi"]],
    ["all else as text", ["b", "a10", "a9"], ["a10", "a9", "b"]],
    ["times as they passed", ["2026-01-02T00:00:00Z", "2025-12-31T00:00:00Z"], ["2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"]],
    ["those without one first", ["x", undefined, null, "a"], [undefined, null, "a", "x"]],
  ] as const) it(`puts ${what}`, () => assert.deepEqual(ordered(...values), expected));

  it("leaves what is equal as it was", () => {
    const items = [{ k: 1, n: "x" }, { k: 0, n: "y" }, { k: 1, n: "a" }];
    assert.deepEqual(orderBy("{.k}")([items], (item) => item)[0]!.map((each) => each.n), ["y", "x", "a"]);
  });
});
