import { readFile } from "node:fs/promises";
import { sleep } from "../../base/clock.ts";
import type { ServerRecord } from "../../base/server-record.ts";
import { rotatePath } from "../../api/paths.ts";
import { createHttpClient } from "../../client/http-client.ts";
import { packageVersion } from "../package-info.ts";
import { liveRecord } from "../server-control.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";

/** A server that has just begun to listen writes its record within this time. */
const recordMsMax = 2000;
const recordPollMs = 25;

export interface KubeconfigOptions {
  readonly raw?: boolean | undefined;
  readonly output?: string | undefined;
}

/** Prints the path of the kubeconfig and nothing else, or (raw) what is in it. Starts the server when none runs. */
export async function kubeconfig(session: Session, { raw = false, output }: KubeconfigOptions): Promise<void> {
  if (output !== undefined && output !== "yaml") throw new CliError("-o of 'kubeconfig' is yaml");
  await session.connect();
  const { network } = await recordOf(session);
  if (network?.url === undefined) throw new CliError(`There is no kubeconfig: ${network?.notice ?? "the running server is of an older version; run 'vendetta server stop' and then 'vendetta server start'"}`);
  const { kubeconfigFile } = session.paths;
  if (!raw && output === undefined) return session.print(kubeconfigFile);
  session.world.stdout.write(await readFile(kubeconfigFile, "utf8"));
}

/** Has the running server replace the token and its certificate, with `ca` also the authority. */
export async function kubeconfigRotate(session: Session, { ca = false }: { readonly ca?: boolean | undefined }): Promise<void> {
  await session.connect();
  const { paths, world } = session;
  const client = createHttpClient({ socketPath: paths.socketPath, clock: world.clock, userAgent: `vendetta/${packageVersion()}` });
  try {
    await client.json({ method: "POST", path: rotatePath, query: new URLSearchParams({ authority: String(ca) }) });
  } finally {
    client.close();
  }
  session.print(`The old token is refused from now on${ca ? ", and there is a new certificate authority" : ""}. ${paths.kubeconfigFile} has the new one; copies of it must be made again.`);
}

async function recordOf({ paths, world, signal }: Session): Promise<ServerRecord> {
  const begun = world.clock.monotonic();
  for (;;) {
    const record = await liveRecord(paths);
    if (record !== undefined) return record;
    if (world.clock.monotonic() - begun > recordMsMax) throw new CliError(`A server answers at ${paths.socketPath}, but ${paths.serverFile} does not say which; stop it where it was started, and run 'vendetta server start'`);
    await sleep(world.clock, recordPollMs, signal);
  }
}
