import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withoutCaller } from "../../src/cli/server-environment.ts";

describe("the environment of a server, which plain processes inherit", () => {
  it("is its user's, without what npm adds for the script that started it", () => {
    const npm = { npm_lifecycle_event: "start", npm_config_local_prefix: "/src/vendetta", INIT_CWD: "/src/vendetta" };
    const path = "/src/vendetta/node_modules/.bin:/usr/lib/node_modules/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin:/usr/bin:/bin";
    assert.deepEqual(withoutCaller({ ...npm, PATH: path, HOME: "/home/me" }), { PATH: "/usr/bin:/bin", HOME: "/home/me" });
  });
  it("keeps a PATH that npm had nothing to do with", () => {
    const env = { PATH: "/home/me/app/node_modules/.bin:/usr/bin", LANG: "C" };
    assert.deepEqual(withoutCaller(env), env);
  });
});
