import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { ProviderPlace } from "../conformance/provider/suite-kit.ts";

/** What others do to machines of provider qemu whose directory is `dir`. */
export function behindQemu(dir: string): NonNullable<ProviderPlace["behind"]> {
  const home = (id: string) => join(dir, "qemu", id);
  return {
    async pause(id) {
      const monitor = connect(join(home(id), "qmp.sock"));
      let said = "";
      monitor.on("data", (chunk: Buffer) => (said += chunk.toString()));
      await once(monitor, "connect");
      monitor.write('{"execute":"qmp_capabilities"}\n{"execute":"stop"}\n');
      while (!/"STOP"/.test(said)) await once(monitor, "data", { signal: AbortSignal.timeout(5000) });
      monitor.destroy();
    },
    end: (id) => Promise.resolve(void process.kill(machineIn(home(id)), "SIGKILL")),
    spoil: (id) => Promise.resolve(writeFileSync(join(home(id), "instance.json"), "{")),
  };
}

/** The pid of the QEMU that works in a directory. */
function machineIn(directory: string): number {
  const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).find((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === directory && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("qemu");
    } catch {
      // It ended meanwhile, or is the kernel's own.
      return false;
    }
  });
  if (found === undefined) throw new Error(`no QEMU works in ${directory}`);
  return Number(found);
}
