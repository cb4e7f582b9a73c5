import type { Readable } from "node:stream";
import { namedService } from "../kind-words.ts";
import { orInstead } from "../not-found.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  readonly tail?: string | undefined;
  readonly previous?: boolean | undefined;
  /** Of a Workspace, not of a Service. */
  readonly console?: boolean | undefined;
}

/** Writes a Service's log to stdout as it is, no faster than stdout takes it. */
export async function logs(session: Session, name: string, options: LogsOptions): Promise<void> {
  const { follow, tail, previous } = options;
  if (tail !== undefined && !/^(-1|\d{1,9})$/.test(tail)) throw new CliError(`--tail: "${tail}" is not a number of lines`);
  if (options.console === true) return await showConsole(session, name, options);
  const store = await session.connect();
  const service = namedService(name, "has a log");
  const stream = await orInstead(session, (_workspace, [first], room) => `${first === undefined ? "" : `'vendetta logs${room} ${first}', or `}what its console showed: 'vendetta logs${room} --console ${service}'`, () =>
    store.logs({ namespace: session.namespace, name: service }, { follow, previous, tailLines: tail === undefined || tail === "-1" ? undefined : Number(tail) }, session.signal));
  await writeOut(session, stream);
}

/** The end of what a Workspace's console showed: all that is kept, or its last lines. */
async function showConsole(session: Session, name: string, { follow, tail, previous }: LogsOptions): Promise<void> {
  if (follow === true || previous === true) throw new CliError("--console shows what there is now: it goes together with neither --follow nor --previous");
  const store = await session.connect();
  const stream = await orInstead(session, (found, _services, room) => `vendetta logs${room} --console ${found.kind === "Service" ? found.spec.workspace : found.metadata.name}`, () =>
    store.showConsole({ namespace: session.namespace, name: name.replace(/^(workspaces?|ws)\//, "") }, session.signal));
  if (tail === undefined || tail === "-1") return await writeOut(session, stream);
  const text = Buffer.concat(await stream.toArray()).toString("utf8");
  const lines = text.split(/(?<=\n)/);
  session.world.stdout.write(lines.slice(Math.max(0, lines.length - Number(tail))).join(""));
}

async function writeOut(session: Session, stream: Readable): Promise<void> {
  const { stdout } = session.world;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (!stdout.write(chunk)) await new Promise<void>((resolve) => {
        const done = () => {
          stdout.off("drain", done);
          session.signal.removeEventListener("abort", done);
          resolve();
        };
        stdout.on("drain", done);
        session.signal.addEventListener("abort", done, { once: true });
      });
    }
  } catch (error) {
    if (!session.signal.aborted) throw error;
  } finally {
    stream.destroy();
  }
}
