import { systemClock as clock } from "../../../src/base/system.ts";
import { createSimEngine } from "../../../src/providers/sim/sim-engine.ts";
import { createSimProvider } from "../../../src/providers/sim/sim-provider.ts";
import { providerConformance } from "./suite.ts";

const noProcesses = "simulated instances have no processes";

providerConformance(
  "sim",
  () => {
    const down = createSimEngine(clock);
    down.down = true;
    return Promise.resolve({ provider: createSimProvider(createSimEngine(clock), { images: new Set(["sim"]) }), unreachable: createSimProvider(down), image: "sim", close: () => Promise.resolve() });
  },
  {
    skip: Object.fromEntries(
      [
        "stop ends what runs inside, by force when it does not listen",
        "volumes are kept over a re-creation, and go when asked",
        "exec tells stdout, stderr and the exit code apart, and feeds stdin",
        "exec hands on arguments and environment byte for byte",
        "exec carries 10 MB through, binary safe",
        "exec gives a terminal",
        "exec can be ended",
        "exec ends with its signal",
        "exec refuses what does not run, and says when there is no such command",
        "dial reaches what listens inside, and says when nothing does",
        "answers on a published port",
        "enforces the limits it claims",
        "works on several at once",
        "tells what an instance uses while it runs",
      ].map((name) => [name, noProcesses]),
    ),
  },
);
