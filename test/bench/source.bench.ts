// A Source of 1,000 manifests, a file each: how long the first sync takes on a server, how long a change of one file, and what a pass over a
// set that is settled costs and writes. Beside it `vendetta apply` of the same directory, which is what one would do without a Source.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger as log } from "../../src/base/log.ts";
import { systemClock as clock } from "../../src/base/system.ts";
import { createHttpStore } from "../../src/client/http-store.ts";
import { createSourceReader } from "../../src/sources/create-source-reader.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import { createTestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { createSourceWorld, serviceText, workspaceText } from "../harness/source-world.ts";
import { figure, latencies, ms, ratio, spread, timed } from "./figures.ts";

const workspaces = 100;
const services = 900;
const changes = 20;
const passes = 20;

function writeSet(dir: string): void {
  for (let i = 0; i < workspaces; i++) {
    mkdirSync(join(dir, `w${i}`), { recursive: true });
    // Stopped: what is measured is the following, not the starting.
    writeFileSync(join(dir, `w${i}`, "workspace.yaml"), workspaceText(`w${i}`, { state: "Stopped" }));
  }
  for (let i = 0; i < services; i++) writeFileSync(join(dir, `w${i % workspaces}`, `s${i}.yaml`), serviceText(`s${i}`, { workspace: `w${i % workspaces}`, env: { V: "0" } }));
}

async function onServer(dir: string): Promise<void> {
  const [cli, other] = [createTestCli(), createTestCli()];
  const store = createHttpStore({ socketPath: join(cli.home, "run", "api.sock"), clock, userAgent: "bench" });
  try {
    await Promise.all([cli.ok("server", "start"), other.ok("server", "start")]);
    const applied = await timed(() => other.ok("apply", "-R", "-f", dir));
    await other.ok("server", "stop");
    const first = await timed(async () => {
      await store.create("Source", { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name: "s" }, spec: { directory: { path: dir } } } as never);
      await eventually(async () => {
        if ((await store.get("Source", { name: "s" })).status?.lastAppliedRevision === undefined) throw new Error("not yet");
      }, 120_000, 20);
    });
    figure("1,000 manifests: first sync", `${ms(first)} (apply -R: ${ms(applied)}, ${ratio(first / applied)})`);
    // The loops of what was just made come to rest first.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const took = await latencies(changes, async (i) => {
      writeFileSync(join(dir, "w7", "s7.yaml"), serviceText("s7", { workspace: "w7", env: { V: String(i + 1) } }));
      await eventually(async () => {
        if ((await store.get("Service", { namespace: "default", name: "s7" })).spec.env["V"] !== String(i + 1)) throw new Error("not yet");
      }, 30_000, 5);
    });
    figure("file written → its object changed, 150 ms of rest included", spread(took));
  } finally {
    await store.close();
    await Promise.all([cli.dispose(), other.dispose()]);
  }
}

/** The loop alone, on a real directory and a store in memory. */
async function settledPasses(dir: string): Promise<void> {
  const transport = createLocalTransport({ clock });
  const reader = createSourceReader({ clock, log, transport, cacheDir: join(dir, "..", "cache") });
  try {
    const world = createSourceWorld(undefined, reader);
    await world.make("s", { directory: { path: dir, intervalSeconds: 30 } });
    await world.pass("s");
    await world.pass("s");
    const { resourceVersion } = await world.store.list("Source");
    const cpu = process.cpuUsage();
    const took = await latencies(passes, () => world.pass("s"));
    const { user, system } = process.cpuUsage(cpu);
    const writes = Number((await world.store.list("Source")).resourceVersion) - Number(resourceVersion);
    figure("pass over 1,000 settled manifests", `${spread(took)}, ${ms((user + system) / 1000 / passes)} of processor, ${writes} writes in ${passes}`, "0 writes");
  } finally {
    await reader.close();
    await transport.close();
  }
}

const root = mkdtempSync(join(tmpdir(), "vd-bench-source-"));
try {
  writeSet(join(root, "set"));
  await settledPasses(join(root, "set"));
  await onServer(join(root, "set"));
} finally {
  rmSync(root, { recursive: true, force: true });
}
