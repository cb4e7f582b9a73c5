// What our LXC provider adds to starting a container until a command runs in it, beside LXC's own programs on a container of the same image.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createLxcProvider } from "../../src/providers/lxc/lxc-provider.ts";
import { instanceId, type InstanceSpec } from "../../src/providers/provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import { relay } from "../../src/transports/ssh/relay.ts";
import { lxcUnavailable } from "../harness/lxc.ts";
import { figure, percentile, ratio, spread, timed } from "./figures.ts";

const rounds = 15;
const run = promisify(execFile);

function specOf(uid: string, network: "bridge" | "empty"): InstanceSpec {
  return { owner: { cluster: "bench", uid, namespace: "default", name: "dev" }, generation: 1, specHash: "h", hostname: "dev", image: "busybox", imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: { network } };
}

async function bench(dir: string): Promise<void> {
  const transport = createLocalTransport({ clock });
  const provider = createLxcProvider({ transport, clock, random, relay, dir: () => Promise.resolve(dir) });
  const signal = new AbortController().signal;
  const ids = { bridge: instanceId(specOf("bridge", "bridge").owner), empty: instanceId(specOf("empty", "empty").owner) };
  for (const network of ["bridge", "empty"] as const) await provider.create(specOf(network, network), () => {}, signal);
  const raw = join(dir, "raw");
  prepareRaw(raw, readFileSync(join(dir, "lxc", ids.empty, "instance.json"), "utf8"));
  const ours = async (network: "bridge" | "empty") => {
    await provider.start(ids[network], signal);
    const stream = await provider.exec(ids[network], ["true"], {});
    stream.stdin.end();
    stream.stdout.resume();
    stream.stderr.resume();
    await stream.exit;
  };
  const ways = {
    bridge: { start: () => ours("bridge"), stop: () => provider.stop(ids.bridge, 0, signal) },
    empty: { start: () => ours("empty"), stop: () => provider.stop(ids.empty, 0, signal) },
    raw: {
      async start() {
        await run("lxc-start", ["-P", raw, "-n", "raw", "-d"]);
        await run("lxc-attach", ["-P", raw, "-n", "raw", "--clear-env", "--", "true"]);
      },
      stop: () => run("lxc-stop", ["-P", raw, "-n", "raw", "-k"]),
    },
  };
  const samples: Record<keyof typeof ways, number[]> = { bridge: [], empty: [], raw: [] };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  try {
    // Round 0 warms up. Each round begins with another way, so that none always comes after the same one.
    for (let round = 0; round <= rounds; round++) {
      for (let i = 0; i < names.length; i++) {
        const name = names[(round + i) % names.length]!;
        const took = await timed(ways[name].start);
        if (round > 0) samples[name].push(took);
        await ways[name].stop();
      }
    }
  } finally {
    for (const id of Object.values(ids)) await provider.destroy(id, { volumes: true }, signal);
    await transport.close();
  }
  const median = (name: keyof typeof ways) => percentile(samples[name], 0.5);
  figure("our provider: start, first command ended, on the bridge", spread(samples.bridge));
  figure("our provider: the same without a network", spread(samples.empty));
  figure("lxc-start and lxc-attach, without a network", spread(samples.raw));
  figure("our provider against LXC's programs, both without a network", ratio(median("empty") / median("raw")));
}

/** A container as plain as LXC has it, over the same image and with the same ids. Its path is passable, as LXC wants it. */
function prepareRaw(raw: string, record: string): void {
  const { image, idMap } = JSON.parse(record) as { readonly image: { readonly dir: string }; readonly idMap?: { readonly uidStart: number; readonly gidStart: number; readonly count: number } };
  const home = join(raw, "raw");
  mkdirSync(home, { recursive: true });
  execFileSync("cp", ["-a", join(image.dir, "rootfs"), join(home, "rootfs")]);
  writeFileSync(join(home, "config"), ["lxc.net.0.type = empty", `lxc.rootfs.path = dir:${join(home, "rootfs")}`, "lxc.uts.name = raw", "lxc.autodev = 1", "lxc.mount.auto = cgroup:mixed proc:mixed sys:mixed", ...(idMap === undefined ? [] : [`lxc.idmap = u 0 ${idMap.uidStart} ${idMap.count}`, `lxc.idmap = g 0 ${idMap.gidStart} ${idMap.count}`]), ""].join("\n"));
}

const why = lxcUnavailable();
if (why !== undefined) figure("lxc", `left out: ${why}`);
else {
  const dir = mkdtempSync(join(tmpdir(), "vd-bench-"));
  try {
    await run("chmod", ["755", dir]);
    await bench(dir);
  } finally {
    for (const each of [dir, join("/run/lxc/lock", dir)]) rmSync(each, { recursive: true, force: true });
  }
}
