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
    const engine = createSimEngine(clock);
    const again = () => createSimProvider(engine, { images: new Set(["sim"]) });
    return Promise.resolve({ provider: again(), again, unreachable: createSimProvider(down), image: "sim", close: () => Promise.resolve() });
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
        "exec tells why a command cannot be started, and nothing of it on the command's streams",
        "exec hands on what only looks as if it could not be started",
        "exec refuses what does not run",
        "dial reaches what listens inside, and says when nothing does",
        "answers on a published port",
        "enforces the limits it claims",
        "works on several at once",
        "each verb may be said twice at the same time",
        "what was made is found and goes on after a restart of the server",
        "stop asks first: what listens ends by itself",
        "stop forces what was asked and goes on",
        "stop without grace asks nobody",
        "destroy of what runs ends what runs in it",
        "memory that is mounted is empty at each start",
        "snapshots keep the disk as it was, and put it back",
        "holds memory to its limit",
        "shows its console, also after its end, and no more of it than was asked for",
        "exec tells every exit code, and a signal",
        "exec's own environment goes before the instance's, and its directory too",
        "files go in and out whole",
        "exec can be asked to end",
        "many commands run at the same time",
        "dial carries what is said, both ways and to its end",
        "publishes other ports while it runs",
        "what is not there is told so, and nothing is done about it",
        "an instance that ended by itself is told so, and can be started again",
        "a paused instance is told so, and goes on when it is started",
        "an instance that cannot be used is told so, hides no other, and can be destroyed",
        "tells what an instance uses while it runs",
      ].map((name) => [name, noProcesses]),
    ),
  },
);
