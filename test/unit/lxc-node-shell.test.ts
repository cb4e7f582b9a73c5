import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/system.ts";
import type { ProviderError } from "../../src/providers/provider.ts";
import { runScript } from "../../src/providers/lxc/node-shell.ts";
import { createLocalTransport } from "../../src/transports/local.ts";

const timeoutMs = 20_000;

describe("the lock of a directory of the node", () => {
  const transport = createLocalTransport({ clock: systemClock });
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "vendetta-hold-"));
  });
  after(async () => {
    rmSync(root, { recursive: true });
    await transport.close();
  });
  const run = (script: string, ...args: string[]) => runScript({ transport }, script, args, { signal: AbortSignal.timeout(timeoutMs), timeoutMs });

  it("is had by one at a time, and who waited while the directory was removed has that of a new one", async () => {
    const dir = join(root, "a", "b");
    const go = join(root, "go");
    const first = run(`hold "$1"; : >"$1/held"; while [ ! -e "$2" ]; do sleep 0.02; done; rm -rf "$1"`, dir, go);
    while (!existsSync(join(dir, "held"))) await sleep(systemClock, 5, AbortSignal.timeout(timeoutMs));
    await assert.rejects(run(`hold "$1" -n || no Busy "another has it"`, dir), (error: ProviderError) => error.reason === "Busy" && error.message === "another has it");
    const second = run(`: >"$2"; hold "$1"; ls "$1"`, dir, join(root, "waits"));
    while (!existsSync(join(root, "waits"))) await sleep(systemClock, 5, AbortSignal.timeout(timeoutMs));
    writeFileSync(go, "");
    assert.deepEqual([await first, await second], ["", "lock\n"]);
  });
  it("is refused, with the reason, where there can be none", async () => {
    writeFileSync(join(root, "file"), "");
    await assert.rejects(run(`hold "$1"; echo held`, join(root, "file", "dir")), (error: ProviderError) => error.reason === "Busy" && /file\/dir\/lock cannot be held: mkdir: .*Not a directory/.test(error.message));
  });
});
