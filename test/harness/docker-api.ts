import { PassThrough } from "node:stream";
import Docker from "dockerode";

/** The engine as a stranger sees it: what tests look at and break things with, never through vendetta. */
export interface DockerApi {
  containers(filters: Record<string, string[]>): Promise<Docker.ContainerInfo[]>;
  volumes(filters: Record<string, string[]>): Promise<unknown[]>;
  /** Runs a command in a container; its stdout. @throws when it ends with another code than 0 */
  exec(id: string, command: string[]): Promise<string>;
  pause(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Everything the engine says happened while `during` ran. */
  events(during: () => Promise<void>): Promise<{ readonly Type: string; readonly Action: string }[]>;
}

export function dockerApi(socketPath: string): DockerApi {
  const docker = new Docker({ socketPath });
  return {
    containers: (filters) => docker.listContainers({ all: true, filters }),
    volumes: async (filters) => (await docker.listVolumes({ filters })).Volumes ?? [],
    async exec(id, command) {
      const exec = await docker.getContainer(id).exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({});
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      docker.modem.demuxStream(stream, stdout, stderr);
      const text = { stdout: "", stderr: "" };
      stdout.setEncoding("utf8").on("data", (chunk: string) => (text.stdout += chunk));
      stderr.setEncoding("utf8").on("data", (chunk: string) => (text.stderr += chunk));
      await new Promise<void>((resolve) => stream.once("end", resolve).once("close", resolve).once("error", () => resolve()));
      const { ExitCode } = await exec.inspect();
      if (ExitCode !== 0) throw new Error(`${command.join(" ")} ended with ${ExitCode}: ${text.stderr}`);
      return text.stdout;
    },
    pause: (id) => docker.getContainer(id).pause() as Promise<void>,
    remove: (id) => docker.getContainer(id).remove({ force: true, v: true }) as Promise<void>,
    async events(during) {
      const seen: { Type: string; Action: string }[] = [];
      const stream = await docker.getEvents({});
      let rest = "";
      stream.on("data", (chunk: Buffer) => {
        const lines = (rest + chunk.toString("utf8")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line.trim() !== "") seen.push(JSON.parse(line) as { Type: string; Action: string });
      });
      try {
        await during();
      } finally {
        (stream as unknown as { destroy(): void }).destroy();
      }
      return seen;
    },
  };
}
