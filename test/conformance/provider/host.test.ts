import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createHostProvider } from "../../../src/providers/host/host-provider.ts";
import { createLocalTransport } from "../../../src/transports/local.ts";
import { instanceId } from "../../../src/providers/provider.ts";
import { hostSkips } from "./host-skips.ts";
import { providerConformance } from "./suite.ts";


providerConformance(
  "host",
  () => {
    const dir = mkdtempSync(join(tmpdir(), "vd-host-"));
    const transport = createLocalTransport({ clock });
    const again = () => createHostProvider({ transport, clock, dir: () => Promise.resolve(dir) });
    return Promise.resolve({
      provider: again(),
      again,
      behind: { spoil: (id) => Promise.resolve(writeFileSync(join(dir, id, "instance.json"), "{")) },
      unreachable: undefined,
      image: "",
      async close() {
        await transport.close();
        rmSync(dir, { recursive: true, force: true });
      },
    });
  },
  {
    skip: { ...hostSkips, "throws when the engine does not answer: unknown is not absent (INV-5)": "has no engine that could be silent" },
  },
);

describe("host, and what people work in", () => {
  it("is kept when an instance is made anew, and goes when asked", async () => {
    const dir = mkdtempSync(join(tmpdir(), "vd-host-"));
    const transport = createLocalTransport({ clock });
    try {
      const provider = createHostProvider({ transport, clock, dir: () => Promise.resolve(dir) });
      const signal = AbortSignal.timeout(20_000);
      const owner = { cluster: "c", uid: "u", namespace: "default", name: "dev" };
      const id = instanceId(owner);
      const spec = { owner, generation: 1, specHash: "h", hostname: "dev", image: "", imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {} } as const;
      const run = async (script: string) => {
        await provider.create(spec, () => {}, signal);
        await provider.start(id, signal);
        const stream = await provider.exec(id, ["sh", "-c", script], { signal });
        stream.stdin.end();
        stream.stdout.resume();
        stream.stderr.resume();
        return (await stream.exit).code;
      };
      assert.equal(await run("echo mine > file"), 0);
      await provider.destroy(id, { volumes: false }, signal);
      assert.equal(await provider.inspect(id, signal), undefined);
      assert.equal(await run("test -e file"), 0);
      await provider.destroy(id, { volumes: true }, signal);
      assert.equal(await run("test -e file"), 1);
      await provider.destroy(id, { volumes: true }, signal);
      assert.ok(!existsSync(join(dir, "work", id)));
    } finally {
      await transport.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
