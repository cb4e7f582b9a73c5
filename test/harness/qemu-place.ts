import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createGuestWay } from "../../src/compose/guest-way.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createQemuProvider } from "../../src/providers/qemu/qemu-provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { Transport } from "../../src/transports/transport.ts";

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
