import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createGuestWay } from "../../src/compose/guest-way.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createQemuProvider } from "../../src/providers/qemu/qemu-provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { Transport } from "../../src/transports/transport.ts";
import { eventually } from "./eventually.ts";

/** A provider of virtual machines with a directory of its own. */
export interface QemuPlace {
  readonly provider: Provider;
  readonly transport: Transport;
  readonly dir: string;
  /** Another one over the same machines, as after a restart of the server. */
  again(): Provider;
  /** Its machines must be destroyed before. */
  close(): Promise<void>;
}

/** @param transport where the machines are; undefined: here. It is closed with the place. */
export function qemuPlace(transport: Transport = createLocalTransport({ clock })): QemuPlace {
  const dir = mkdtempSync(join(tmpdir(), "vd-qemu-"));
  const ways: ReturnType<typeof createGuestWay>[] = [];
  const again = () => {
    const guests = createGuestWay({ sshDir: join(dir, "ssh"), cluster: "conform", clock, random });
    ways.push(guests);
    return createQemuProvider({ transport, clock, dir: () => Promise.resolve(dir), guests });
  };
  return {
    provider: again(),
    transport,
    dir,
    again,
    async close() {
      for (const each of ways) await each.close();
      await transport.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Says a command to a machine's monitor, and waits for its answer. */
export async function monitorSays({ transport, dir }: QemuPlace, id: string, command: string): Promise<void> {
  const pid = Number(readFileSync(join(dir, "qemu", id, "run"), "utf8").split(" ")[0]);
  const stream = await transport.dial({ socketPath: `/proc/${pid}/cwd/qmp.sock` }, AbortSignal.timeout(20_000));
  let said = "";
  stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  stream.write(`{"execute":"qmp_capabilities"}\n{"execute":"${command}","id":"asked"}\n`);
  await eventually(() => assert.match(said, /"id": "asked"/), 10_000, 20);
  stream.destroy();
}

/** What others do to machines of this place, behind the provider's back. */
export function behindMachines(place: QemuPlace) {
  return {
    pause: (id: string) => monitorSays(place, id, "stop"),
    end: (id: string) => {
      process.kill(Number(readFileSync(join(place.dir, "qemu", id, "run"), "utf8").split(" ")[0]), "SIGKILL");
      return Promise.resolve();
    },
    spoil: (id: string) => writeFile(join(place.dir, "qemu", id, "instance.json"), "{"),
  };
}
