import { homePaths } from "../base/home.ts";
import { isNotFound } from "../api/status-error.ts";
import { createHttpStore, type HttpStore } from "../client/http-store.ts";
import { acceptsConnections } from "./accepts-connections.ts";
import { packageVersion } from "./package-info.ts";
import type { GlobalOptions, Session } from "./session.ts";
import { createStyle } from "./style.ts";
import { CliError, type CliWorld } from "./world.ts";

/** One command's run, from its session's making to its end. */
export async function inSession(world: CliWorld, options: GlobalOptions, signal: AbortSignal, action: (session: Session) => Promise<void>): Promise<void> {
  const session = createSession(world, options, signal);
  try {
    await action(session);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const { explained } = await import("./not-found.ts");
    throw await explained(session, error);
  } finally {
    await session.close();
  }
}

function createSession(world: CliWorld, { namespace, color }: GlobalOptions, signal: AbortSignal): Session {
  const paths = homePaths(world.env);
  let store: HttpStore | undefined;
  const coloured = (out: { readonly isTTY?: boolean | undefined }) => color !== false && out.isTTY === true && !world.env["NO_COLOR"] && world.env["TERM"] !== "dumb";
  const warned = new Set<string>();
  const onWarning = (text: string) => {
    if (!warned.has(text)) session.tell(`Warning: ${text}`);
    warned.add(text);
  };
  const session: Session = {
    world,
    paths,
    namespace: namespace ?? "default",
    namespaceGiven: namespace !== undefined,
    signal,
    outStyle: createStyle(coloured(world.stdout)),
    errStyle: createStyle(coloured(world.stderr)),
    print: (text) => void world.stdout.write(`${text}\n`),
    tell: (text) => void world.stderr.write(`${text}\n`),
    async connect() {
      if (store !== undefined) return store;
      if (!(await acceptsConnections(paths.socketPath, world.clock))) {
        if (world.env["VENDETTA_NO_AUTOSTART"] === "1") throw new CliError(`No vendetta server runs for ${paths.home}; run 'vendetta server start'`);
        session.tell("No vendetta server runs yet: starting it …");
        const { startServer } = await import("./server-control.ts");
        await startServer(session);
      }
      return (store = createHttpStore({ socketPath: paths.socketPath, clock: world.clock, userAgent: `vendetta/${packageVersion()}`, onWarning }));
    },
    async close() {
      await store?.close();
    },
  };
  return session;
}
