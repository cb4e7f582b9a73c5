// 1 GB through kubectl port-forward into a workspace and back, beside the same through `ssh -L` to an sshd in this machine.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createTestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd } from "../harness/docker.ts";
import { echoThrough } from "../harness/echo-client.ts";
import { eventually } from "../harness/eventually.ts";
import { createKubectl, kubectlUnavailable, type Kubectl } from "../harness/kubectl.ts";
import { freePort, isPortOpen } from "../harness/ports.ts";
import { writeManifests } from "../e2e/stack.ts";
import { nodeMounts } from "../harness/node-mounts.ts";
import { figure, percentile, ratio, timed } from "./figures.ts";

const bytes = 1024 ** 3;
const rounds = 2;
const echoScript = "require('net').createServer({ allowHalfOpen: true }, (c) => c.on('error', () => {}).pipe(c)).listen(process.env.PORT, '0.0.0.0')";

const rate = (took: number) => `${((2 * bytes) / 1e6 / (took / 1000)).toFixed(0)} MB/s, both ways together`;

async function through(port: number): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    samples.push(await timed(async () => {
      const { same, gotBytes } = await echoThrough(port, bytes);
      if (!same) throw new Error(`${gotBytes} of ${bytes} bytes came back, or others`);
    }));
  }
  return percentile(samples, 0.5);
}

/** An sshd of our own and a forward through it to this port; undefined where there is none. */
async function sshForward(to: number): Promise<{ readonly port: number; end(): Promise<void> } | undefined> {
  if (!existsSync("/usr/sbin/sshd") || !existsSync("/usr/bin/ssh")) return undefined;
  const dir = mkdtempSync(join(tmpdir(), "vd-ssh-"));
  const [port, local] = [await freePort(), await freePort()];
  for (const key of ["host", "user"]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(dir, key)]);
  execFileSync("cp", [join(dir, "user.pub"), join(dir, "authorized")]);
  // Where sshd drops its rights; Debian makes it at boot.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const children: ChildProcess[] = [
    spawn("/usr/sbin/sshd", ["-D", "-e", "-f", "/dev/null", "-h", join(dir, "host"), "-o", "ListenAddress=127.0.0.1", "-o", `Port=${port}`, "-o", `AuthorizedKeysFile=${join(dir, "authorized")}`, "-o", "StrictModes=no", "-o", "UsePAM=no", "-o", `PidFile=${join(dir, "pid")}`], { stdio: "ignore" }),
  ];
  await eventually(async () => {
    if (!(await isPortOpen(port))) throw new Error("sshd does not listen");
  }, 10_000);
  children.push(spawn("ssh", ["-N", "-i", join(dir, "user"), "-p", String(port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-L", `127.0.0.1:${local}:127.0.0.1:${to}`, `${userInfo().username}@127.0.0.1`], { stdio: "ignore" }));
  await eventually(async () => {
    if (!(await isPortOpen(local))) throw new Error("ssh -L does not listen");
  }, 10_000);
  return {
    port: local,
    async end() {
      for (const child of children.reverse()) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function bare(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as { readonly port: number }).port, close: () => void server.close() };
}

async function measure(kubectl: Kubectl, pod: string, port: number, ssh: number | undefined): Promise<void> {
  for (const [wire, websockets] of [["WebSocket", "true"], ["SPDY/3.1", "false"]] as const) {
    const forward = await kubectl.forward(pod, [port], { env: { KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets } });
    const took = await through(forward.ports[0]!);
    await forward.end();
    figure(`kubectl port-forward over ${wire} into ${pod}, 1 GiB`, rate(took));
    if (ssh !== undefined) figure("  time against ssh -L", ratio(took / ssh));
  }
}

const lacking = kubectlUnavailable();
if (lacking !== undefined) figure("port-forward", `left out: ${lacking}`);
else {
  const dockerd = dockerUnavailable() === undefined ? await startDockerd() : undefined;
  const cli = createTestCli(dockerd === undefined ? {} : { DOCKER_HOST: `unix://${dockerd.socketPath}` });
  try {
    await dockerd?.importBusybox("busybox:bench");
    const hostPort = await freePort();
    const workspace = (name: string, spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name }, spec });
    const echo = (name: string, port: number) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${name}-echo` }, spec: { workspace: name, command: [process.execPath, "-e", echoScript], port } });
    const file = writeManifests(cli.home, "bench.yaml", [
      workspace("processes", { provider: "host" }), echo("processes", hostPort),
      ...(dockerd === undefined ? [] : [workspace("container", { provider: "docker", image: "busybox:bench", mounts: nodeMounts() }), echo("container", 7000)]),
    ]);
    await cli.ok("apply", "-f", file, "--wait");
    const peer = await bare();
    figure("no forward at all, 1 GiB there and back", rate(await through(peer.port)));
    const ssh = await sshForward(peer.port);
    const sshTook = ssh === undefined ? undefined : await through(ssh.port);
    figure("ssh -L, 1 GiB there and back", sshTook === undefined ? "left out: no sshd here" : rate(sshTook));
    await ssh?.end();
    peer.close();
    const kubectl = await createKubectl(cli);
    await measure(kubectl, "processes", hostPort, sshTook);
    if (dockerd !== undefined) await measure(kubectl, "container", 7000, sshTook);
    await kubectl.dispose();
    await cli.ok("delete", "-f", file);
  } finally {
    await cli.dispose();
    await dockerd?.stop();
  }
}
