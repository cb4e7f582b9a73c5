import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock as clock } from "../../src/base/system.ts";
import { keptThere } from "../../src/access/kept-there.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { Transport } from "../../src/transports/transport.ts";

describe("what is kept on a machine", () => {
  const local = createLocalTransport({ clock });
  const home = mkdtempSync(join(tmpdir(), "vendetta-"));
  const machine: Transport = { ...local, run: (argv, options) => local.run(argv, { ...options, env: { HOME: home } }) };
  const instances = join(home, ".local/share/vendetta/c1/instances");
  const kept = async (cluster: string) => await keptThere(machine, cluster, new AbortController().signal);
  before(() => {
    for (const [directory, file] of [["work/a b", "x"], ["work/empty", undefined], ["lxc-work/v", "x"], ["lxc-node", "x"]] as const) {
      mkdirSync(join(instances, directory), { recursive: true });
      if (file !== undefined) writeFileSync(join(instances, directory, file), "");
    }
  });
  after(async () => {
    await local.close();
    rmSync(home, { recursive: true });
  });

  it("is what holds something, of this cluster", async () => {
    assert.deepEqual(await kept("c1"), { paths: [join(instances, "work/a b"), join(instances, "lxc-work/v")], more: 0 });
    assert.deepEqual(await kept("c2"), { paths: [], more: 0 });
  });
  it("is told up to a bound", async () => {
    for (let i = 0; i < 60; i++) {
      mkdirSync(join(instances, `work/n${i}`));
      writeFileSync(join(instances, `work/n${i}/x`), "");
    }
    const { paths, more } = await kept("c1");
    assert.deepEqual([paths.length, more], [50, 12]);
  });
});
