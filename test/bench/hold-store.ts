import { silentLogger } from "../../src/base/log.ts";
import { systemClock, systemRandom } from "../../src/base/system.ts";
import { openFileStore } from "../../src/store/file-store.ts";

// Holds the store of the directory that is named until its stdin ends, for somebody who looks what that takes.
const store = await openFileStore({ dir: process.argv[2]!, clock: systemClock, random: systemRandom, log: silentLogger });
process.stdout.write("open\n");
process.stdin.resume();
process.stdin.once("end", () => void store.close());
