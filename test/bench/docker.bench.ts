// What our Docker provider adds to making and starting a container, beside the engine's API itself and `docker run -d`.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import Docker from "dockerode";
import { systemClock as clock } from "../../src/base/system.ts";
import { containerConfig } from "../../src/providers/docker/container-config.ts";
import { createDockerProvider } from "../../src/providers/docker/docker-provider.ts";
import { instanceId, type InstanceSpec } from "../../src/providers/provider.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { TestDockerd } from "../harness/docker.ts";
import { benchOnDocker } from "./bench-on-docker.ts";
import { figure, percentile, ratio, spread, timed } from "./figures.ts";

const rounds = 15;
const image = "busybox:test";
const run = promisify(execFile);

function specOf(uid: string): InstanceSpec {
  return { owner: { cluster: "bench", uid, namespace: "default", name: "dev" }, generation: 1, specHash: "h", hostname: "dev", image, imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: {} };
}

async function bench({ socketPath }: TestDockerd): Promise<void> {
  const docker = new Docker({ socketPath });
  const transport = createLocalTransport({ clock });
  const provider = createDockerProvider({ transport, clock, socketPath });
  const signal = new AbortController().signal;
  const env = { PATH: process.env["PATH"] ?? "", DOCKER_HOST: `unix://${socketPath}` };
  // All three make the same container: an init process, a tmpfs for the supervisor, a sleep.
  const ways = {
    async provider(uid: string) {
      await provider.create(specOf(uid), () => {}, signal);
      await provider.start(instanceId(specOf(uid).owner), signal);
    },
    async engine(uid: string) {
      await (await docker.createContainer(containerConfig(specOf(uid)))).start();
    },
    async command(uid: string) {
      await run("docker", ["run", "-d", "--name", instanceId(specOf(uid).owner), "--init", "--hostname", "dev", "--tmpfs", "/run/vendetta:rw,exec,nosuid,mode=1777,size=64m", image, "sh", "-c", "exec sleep 2147483647"], { env });
    },
  };
  const samples: Record<keyof typeof ways, number[]> = { provider: [], engine: [], command: [] };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  // Round 0 warms up. Each round begins with another way, so that none always comes after the same one.
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length]!;
      const uid = `${name}${round}`;
      const took = await timed(() => ways[name](uid));
      if (round > 0) samples[name].push(took);
      await docker.getContainer(instanceId(specOf(uid).owner)).remove({ force: true, v: true });
    }
  }
  await transport.close();
  const median = (name: keyof typeof ways) => percentile(samples[name], 0.5);
  figure("our provider: create and start one container", spread(samples.provider));
  figure("the engine's API, by dockerode alone", spread(samples.engine));
  figure("docker run -d", spread(samples.command));
  figure("our provider against the engine's API", ratio(median("provider") / median("engine")), "<= 1.10x");
  figure("our provider against docker run -d", ratio(median("provider") / median("command")));
}

await benchOnDocker("docker", bench);
