// What a command on a Node costs over the connection that is up, beside a fresh `ssh` and `ssh` over a ControlMaster, to the same sshd.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sshTo } from "../harness/ssh-to.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { figure, percentile, ratio, spread, throughput, timed } from "./figures.ts";

const rounds = 40;
const timeoutMs = 20_000;
const run = promisify(execFile);

async function bench(sshd: TestSshd, directory: string): Promise<void> {
  const knownHosts = join(directory, "known_hosts");
  writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
  const control = join(directory, "control");
  const common = ["-F", "/dev/null", "-i", sshd.keyFile, "-o", "IdentitiesOnly=yes", "-o", `UserKnownHostsFile=${knownHosts}`, "-o", "BatchMode=yes", "-p", String(sshd.port), `${sshd.user}@127.0.0.1`];
  const transport = sshTo(sshd);
  const ways = {
    ours: () => transport.run(["true"], { timeoutMs }),
    fresh: () => run("ssh", [...common, "true"]),
    master: () => run("ssh", ["-S", control, ...common, "true"]),
  };
  await run("ssh", ["-M", "-S", control, "-f", "-N", ...common]);
  try {
    const samples: Record<keyof typeof ways, number[]> = { ours: [], fresh: [], master: [] };
    const names = Object.keys(ways) as (keyof typeof ways)[];
    // Round 0 warms up. Each round begins with another way, so that none always comes after the same one.
    for (let round = 0; round <= rounds; round++)
      for (let i = 0; i < names.length; i++) {
        const name = names[(round + i) % names.length]!;
        const took = await timed(ways[name]);
        if (round > 0) samples[name].push(took);
      }
    const median = (name: keyof typeof ways) => percentile(samples[name], 0.5);
    figure("a command over the connection that is up", spread(samples.ours));
    figure("a fresh ssh", spread(samples.fresh));
    figure("ssh over a ControlMaster", spread(samples.master));
    figure("ours against a fresh ssh", ratio(median("ours") / median("fresh")), "<= 0.10x");
    figure("ours against a ControlMaster", ratio(median("ours") / median("master")), "<= 0.30x");
    figure("commands a second, eight at once", String(Math.round(await throughput(8, 25, () => ways.ours()))));
    const path = join(directory, "file");
    const files: number[] = [];
    for (let i = 0; i < rounds; i++) files.push(await timed(() => transport.files.read("/etc/hostname", 1000)));
    figure("reading a small file", spread(files));
    const data = Buffer.alloc(16 * 1024 * 1024, "x");
    figure("writing 16 MiB, on disk when done", `${Math.round(16_000 / (await timed(() => transport.files.write(path, data))))} MiB/s`);
  } finally {
    await run("ssh", ["-S", control, "-O", "exit", ...common]);
    await transport.close();
  }
}

const why = sshdUnavailable();
if (why !== undefined) figure("ssh", `left out: ${why}`);
else {
  const directory = mkdtempSync(join(tmpdir(), "vd-bench-ssh-"));
  const sshd = await startSshd({ home: directory });
  try {
    await bench(sshd, directory);
  } finally {
    await sshd.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
