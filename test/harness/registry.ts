import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

const program = "/usr/bin/docker-registry";

/** Why no registry can be started here; undefined when it can. With CI=true a lack is an error, not a skip. */
export function registryUnavailable(): string | undefined {
  if (existsSync(program)) return undefined;
  if (process.env["CI"] === "true") throw new Error("docker-registry is not installed; in CI that is a failure");
  return "docker-registry is not installed (Debian: docker-registry)";
}

/** A registry of images on 127.0.0.1, which Docker trusts without TLS. */
export interface TestRegistry {
  /** "127.0.0.1:5000": the first part of its images' names. */
  readonly host: string;
  halt(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRegistry(): Promise<TestRegistry> {
  const dir = mkdtempSync(join(tmpdir(), "vd-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(dir, "config.yml");
  writeFileSync(config, JSON.stringify({ version: "0.1", log: { level: "error" }, storage: { filesystem: { rootdirectory: join(dir, "images") } }, http: { addr: host } }));
  let end: () => Promise<void>;
  const start = async () => {
    const child = spawn(program, ["serve", config], { stdio: "ignore" });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    end = () => {
      child.kill("SIGTERM");
      return ended;
    };
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
      const { ok } = await fetch(`http://${host}/v2/`);
      if (!ok) throw new Error("docker-registry does not answer yet");
    }, 20_000);
  };
  await start();
  return {
    host,
    halt: () => end(),
    resume: start,
    async stop() {
      await end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
