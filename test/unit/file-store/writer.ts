// A process that writes until it is killed. Argument: the directory. Prints one line for each write that was
// acknowledged: name, sequence number (-1: deleted), resourceVersion.
import { writeSync } from "node:fs";
import { silentLogger } from "../../../src/base/log.ts";
import { systemClock, systemRandom } from "../../../src/base/system.ts";
import { isNotFound } from "../../../src/api/status-error.ts";
import { openFileStore } from "../../../src/store/file-store.ts";
import { workspace } from "../../conformance/store/fixture.ts";

const dir = process.argv[2]!;
// Small, so that the kill often comes while a snapshot is being written.
const store = await openFileStore({ dir, clock: systemClock, random: systemRandom, log: silentLogger, journalBytesMax: 20_000 });
const acknowledge = (name: string, sequence: number, version: string) => writeSync(1, `${name} ${sequence} ${version}\n`);

async function write(name: string): Promise<never> {
  const ref = { namespace: "default", name };
  let sequence = await store.get("Workspace", ref).then(
    ({ spec }) => Number(spec.env["N"]),
    (error: unknown) => {
      if (!isNotFound(error)) throw error;
      return -1;
    },
  );
  for (;;) {
    const input = workspace(name, { spec: { env: { N: String(sequence + 1), FILL: "x".repeat(systemRandom.next() * 2000) } } });
    const { metadata } = sequence < 0 ? await store.create("Workspace", input) : await store.update("Workspace", input);
    sequence++;
    acknowledge(name, sequence, metadata.resourceVersion);
    if (sequence % 10 === 9) {
      acknowledge(name, -1, (await store.delete("Workspace", ref)).metadata.resourceVersion);
      sequence = -1;
    }
  }
}

writeSync(1, "ready 0 0\n");
await Promise.all(Array.from({ length: 8 }, (_, i) => write(`w${i}`)));
