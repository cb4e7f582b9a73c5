import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CaseResult } from "../runner/case-reporter.ts";
import { providerMatrix } from "../runner/provider-matrix.ts";

const result = (suite: string, name: string, how: CaseResult["result"] = "passed", reason = ""): CaseResult => ({ suite, name, result: how, reason });

describe("the table of providers and transports", () => {
  it("has a line a case and a column a provider and transport, and tells the reason of each skip and each column that is missing", () => {
    const table = providerMatrix([
      result("something else", "that is no provider"),
      result("provider docker over SSH", "starts"), result("provider docker over SSH", "limits", "failed"),
      result("provider docker", "starts"), result("provider docker", "limits", "skipped", "no cgroup"),
      result("provider sim", "starts", "skipped", "no processes"),
      result("", "qemu over SSH", "skipped", "qemu is not installed"), result("", "a case of its own", "skipped", "as it likes"),
    ]);
    assert.deepEqual(table?.split("\n"), [
      "case    docker/local  docker/ssh  sim/local",
      "starts  ✓             ✓           –1",
      "limits  –2            ✗",
      "",
      "–1 skipped: no processes",
      "–2 skipped: no cgroup",
      "qemu/ssh not run: qemu is not installed",
      "2 hold (✓), 1 fail (✗), 2 skipped",
    ]);
  });
  it("is not there when no provider was asked", () => assert.equal(providerMatrix([result("", "x"), result("provider", "y")]), undefined));
});
