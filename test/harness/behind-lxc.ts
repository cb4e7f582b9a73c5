import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ProviderPlace } from "../conformance/provider/suite-kit.ts";

/** What others do to containers of provider lxc whose directory is `dir`. */
export function behindLxc(dir: string): NonNullable<ProviderPlace["behind"]> {
  const lxc = (program: string, id: string, ...more: string[]) => execFileSync(program, ["-P", join(dir, "lxc"), "-n", id, ...more], { encoding: "utf8" });
  return {
    pause: (id) => Promise.resolve(void lxc("lxc-freeze", id)),
    end: (id) => Promise.resolve(void process.kill(Number(lxc("lxc-info", id, "-p", "-H").trim()), "SIGKILL")),
    spoil: (id) => Promise.resolve(writeFileSync(join(dir, "lxc", id, "instance.json"), "{")),
  };
}
