// Test run: about 80 s.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { clusterIdOf } from "../../src/api/cluster-id.ts";
import type { Namespace } from "../../src/api/namespace.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import { counted, leaks, takeCensus, type Census, type CensusOf } from "../harness/census.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { eventually } from "../harness/eventually.ts";
import { isLong } from "../harness/long.ts";
import { lxcUnavailable } from "../harness/lxc.ts";
import { qemuUnavailable, tinyGuest } from "../harness/tiny-guest.ts";
import { httpd, writeManifests } from "./stack.ts";

const why = dockerUnavailable() ?? lxcUnavailable() ?? qemuUnavailable();
const rounds = isLong ? 5 : 3;
const counts = { host: 7, docker: 6, lxc: 5, qemu: 2 } as const;
const kinds = Object.entries(counts) as [keyof typeof counts, number][];

/** What may grow with each round: the engine's own databases, and what its file system rounds up. */
const dockerSlackKiB = 2048;
const instancesSlackKiB = 64;

describe(`twenty Workspaces of four providers, made and deleted ${rounds} times`, { timeout: 500_000, skip: why }, () => {
  let cli: TestCli;
  let dockerd: TestDockerd;
  let counting: CensusOf;
  let atRest: Census;
  let file: string | undefined;

  before(async () => {
    dockerd = await startDockerd();
    await dockerd.importBusybox("busybox:test");
    cli = createTestCli({ DOCKER_HOST: `unix://${dockerd.socketPath}` });
    await eventually(async () => assert.equal((await cli.json<{ items: Node[] }>("nodes")).items[0]!.status?.providers?.filter(({ usable }) => usable).length, 4), 30_000);
    const cluster = clusterIdOf(await cli.json<Namespace>("namespace", "default"));
    counting = { cluster, dirs: [join(cli.home, "instances")], kept: /instances\/(lxc-images|lxc-node|lxc-work$|lxc$|qemu$|qemu\/work$|work$)/, mountDirs: [dirname(dockerd.socketPath)] };
    // The ears of the engines are there by now.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    atRest = takeCensus(counting);
  });
  after(async () => {
    if (file !== undefined) await cli.run(["delete", "-f", file, "--timeout", "60s"], { timeoutMs: 80_000 });
    await cli?.dispose();
    await dockerd?.stop();
  });

  const manifests = async () => {
    const { image, engine } = await tinyGuest();
    const specs: Readonly<Record<keyof typeof counts, object>> = { host: {}, docker: { image: "busybox:test" }, lxc: { image: "busybox" }, qemu: { image, qemu: engine, resources: { memory: "128Mi" } } };
    return kinds.flatMap(([provider, count]) => Array.from({ length: count }, (_, i) => {
      const name = `${provider}${i}`;
      const service = (what: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${name}-${what}` }, spec: { workspace: name, ...spec } });
      return [
        { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec: { provider, ...specs[provider], terminationGracePeriodSeconds: 1 } },
        service("web", { command: ["sh", "-c", httpd(name).replaceAll("httpd -f", "busybox httpd -f")], port: provider === "host" ? 18_000 + i : 8000, healthCheck: { http: { path: "/" } } }),
        // Every other one has a second.
        ...(i % 2 === 0 ? [service("worker", { command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"], dependsOn: [{ name: `${name}-web` }] })] : []),
      ];
    })).flat();
  };
  const kibibytes = (dir: string, ...but: string[]) => Number(execFileSync("du", ["-sk", ...but.map((each) => `--exclude=${each}`), dir], { encoding: "utf8" }).split("\t")[0]);
  const disk = () => ({ instances: kibibytes(join(cli.home, "instances")), rest: kibibytes(cli.home, "instances", "store", "log"), storeAndLog: kibibytes(join(cli.home, "store")) + kibibytes(join(cli.home, "log")), docker: kibibytes(dirname(dockerd.socketPath)) });

  it("each time nothing is left: no orphan, process, device, rule, port, mount, cgroup or file", async (t) => {
    file = writeManifests(cli.home, "churn.yaml", await manifests());
    let first: ReturnType<typeof disk> | undefined;
    for (let round = 1; round <= rounds; round++) {
      const begun = performance.now();
      const { code, stderr } = await cli.run(["apply", "-f", file, "--wait", "--timeout", "100s"], { timeoutMs: 120_000 });
      assert.equal(code, 0, stderr);
      const readyMs = performance.now() - begun;
      if (round === 1) await portsAreEachOnes();
      t.diagnostic(`round ${round}: Ready after ${(readyMs / 1000).toFixed(1)} s with ${counted(takeCensus(counting))}`);
      await cli.ok("delete", "-f", file, "--timeout", "60s");
      const deletedMs = performance.now() - begun - readyMs;
      assert.equal(await cli.ok("get", "orphans"), "");
      await eventually(() => assert.deepEqual(leaks(atRest, takeCensus(counting)), []), 20_000, 300);
      const now = disk();
      first ??= now;
      t.diagnostic(`round ${round}: deleted after ${(deletedMs / 1000).toFixed(1)} s, ${counted(takeCensus(counting))}; KiB: ${JSON.stringify(now)}`);
      assert.ok(now.instances <= first.instances + instancesSlackKiB, `instances grew from ${first.instances} to ${now.instances} KiB`);
      assert.ok(now.rest <= first.rest + instancesSlackKiB, `the home grew from ${first.rest} to ${now.rest} KiB beside its store and logs`);
      assert.ok(now.docker <= first.docker + dockerSlackKiB, `Docker's directories grew from ${first.docker} to ${now.docker} KiB`);
    }
  });

  async function portsAreEachOnes(): Promise<void> {
    const { items } = await cli.json<{ items: Service[] }>("services");
    const ports = items.flatMap(({ status }) => (status?.endpoints ?? []).map(({ nodePort }) => nodePort));
    assert.equal(ports.length, 20);
    assert.equal(new Set(ports).size, ports.length, "no port twice");
    for (const { metadata, spec, status } of items) if (status?.url !== undefined) assert.equal(await (await fetch(status.url, { signal: AbortSignal.timeout(5000) })).text(), `${spec.workspace} answers\n`, metadata.name);
  }
});
