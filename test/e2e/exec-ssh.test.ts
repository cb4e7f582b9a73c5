// Test run: about 45 s.

import { execSuite } from "./exec-suite.ts";

execSuite({ provider: "docker", remote: true });
execSuite({ provider: "host", remote: true });
