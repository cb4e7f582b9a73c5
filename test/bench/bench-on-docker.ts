import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { figure } from "./figures.ts";

/** Runs a benchmark on an engine of its own that has busybox:test; says that it was left out where there can be none. */
export async function benchOnDocker(name: string, bench: (dockerd: TestDockerd) => Promise<void>): Promise<void> {
  const why = dockerUnavailable();
  if (why !== undefined) return figure(name, `left out: ${why}`);
  const dockerd = await startDockerd();
  try {
    await dockerd.importBusybox("busybox:test");
    await bench(dockerd);
  } finally {
    await dockerd.stop();
  }
}
