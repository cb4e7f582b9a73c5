import { namedService } from "../kind-words.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  readonly tail?: string | undefined;
  readonly previous?: boolean | undefined;
}

/** Writes a Service's log to stdout as it is, no faster than stdout takes it. */
export async function logs(session: Session, name: string, { follow, tail, previous }: LogsOptions): Promise<void> {
  if (tail !== undefined && !/^(-1|\d{1,9})$/.test(tail)) throw new CliError(`--tail: "${tail}" is not a number of lines`);
  const store = await session.connect();
  const stream = await store.logs(
    { namespace: session.namespace, name: namedService(name, "has a log") },
    { follow, previous, tailLines: tail === undefined || tail === "-1" ? undefined : Number(tail) },
    session.signal,
  );
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
