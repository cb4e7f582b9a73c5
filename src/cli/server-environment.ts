import type { Environment } from "../base/home.ts";

/** Plain processes inherit what the server has: what npm adds for the one script that started it is nobody's after that. */
export function withoutCaller(env: Environment): Environment {
  const kept = Object.entries(env).filter(([name]) => !/^npm_|^INIT_CWD$/.test(name));
  const path = env["PATH"]?.split(":").filter((each) => env["npm_lifecycle_event"] === undefined || !/\/node_modules\/\.bin$|\/node-gyp-bin$/.test(each)).join(":");
  return { ...Object.fromEntries(kept), ...(path === undefined ? {} : { PATH: path }) };
}
