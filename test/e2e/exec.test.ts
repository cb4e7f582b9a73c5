// Test run: about 45 s.

import { execSuite } from "./exec-suite.ts";

execSuite({ provider: "docker", remote: false });
execSuite({ provider: "host", remote: false });
