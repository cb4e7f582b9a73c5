// How long a virtual machine takes until a command has run in it, beside QEMU alone with the same arguments.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { sleep } from "../../src/base/clock.ts";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createGuestWay } from "../../src/compose/guest-way.ts";
import { instanceId, type InstanceSpec, type ProviderError } from "../../src/providers/provider.ts";
import { dialGuest } from "../../src/providers/qemu/guest-dial.ts";
import { createQemuProvider } from "../../src/providers/qemu/qemu-provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { qemuUnavailable, tinyGuest } from "../harness/tiny-guest.ts";
import { figure, percentile, ratio, spread, timed } from "./figures.ts";

const rounds = 5;

async function bench(): Promise<void> {
  const { image, engine } = await tinyGuest();
  const dir = mkdtempSync(join(tmpdir(), "vd-bench-"));
  const transport = createLocalTransport({ clock });
  const guests = createGuestWay({ sshDir: join(dir, "ssh"), cluster: "bench", clock, random });
  const provider = createQemuProvider({ transport, clock, dir: () => Promise.resolve(dir), guests });
  const signal = new AbortController().signal;
  const specOf = (uid: string): InstanceSpec => ({ owner: { cluster: "bench", uid, namespace: "default", name: "dev" }, generation: 1, specHash: "h", hostname: "dev", image, imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine });
  const ours: number[] = [];
  const bare: number[] = [];
  const commands: number[] = [];
  const command = async (id: string) => {
    const stream = await provider.exec(id, ["true"], { signal });
    stream.stdin.end();
    for (const each of [stream.stdout, stream.stderr]) each.resume();
    await stream.exit;
  };
  // Round 0 warms up.
  for (let round = 0; round <= rounds; round++) {
    const spec = specOf(`u${round}`);
    const id = instanceId(spec.owner);
    await provider.create(spec, () => {}, signal);
    const took = await timed(async () => {
      await provider.start(id, signal);
      await command(id);
    });
    const home = join(dir, "qemu", id);
    const [pid, , , , port] = readFileSync(join(home, "run"), "utf8").trim().split(" ");
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    if (round > 0) for (let i = 0; i < 20; i++) commands.push(await timed(() => command(id)));
    await provider.stop(id, 5, signal);
    // The same disk and arguments, and nobody but QEMU and one SSH connection.
    const inside = guests.open({ name: id, hostKeys: [], onHostKey: () => Promise.resolve(true), dial: (until) => dialWhenThere(transport, id, Number(port), until) });
    let qemu: ChildProcess | undefined;
    const alone = await timed(async () => {
      qemu = spawn(argv[0]!, argv.slice(1), { cwd: home, stdio: "ignore" });
      await inside.run(["true"], { timeoutMs: 120_000 });
    });
    await inside.close();
    const ended = once(qemu!, "exit");
    qemu!.kill("SIGKILL");
    await ended;
    if (round > 0) {
      ours.push(took);
      bare.push(alone);
    }
    await provider.destroy(id, { volumes: true }, signal);
  }
  await guests.close();
  await transport.close();
  rmSync(dir, { recursive: true, force: true });
  figure("a machine started until a command has run in it", spread(ours));
  figure("the same by QEMU alone, and one SSH command", spread(bare));
  figure("our provider against QEMU alone", ratio(percentile(ours, 0.5) / percentile(bare, 0.5)), "<= 1.05x");
  figure("a command in a machine, the connection being up", spread(commands));
}

/** QEMU listens a moment after it was started. */
async function dialWhenThere(transport: Transport, id: string, port: number, signal: AbortSignal): Promise<Duplex> {
  for (;;) {
    try {
      return await dialGuest(transport, clock, id, port, false, signal);
    } catch (error) {
      if ((error as Partial<ProviderError>).reason !== "NotRunning") throw error;
      await sleep(clock, 5, signal);
    }
  }
}

const why = qemuUnavailable();
if (why === undefined) await bench();
else figure("qemu", `left out: ${why}`);
