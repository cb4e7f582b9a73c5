import { realpath, stat } from "node:fs/promises";
import { codeOf, messageOf } from "../base/errors.ts";
import type { Store } from "../store/store.ts";
import type { Session } from "./session.ts";
import { CliError } from "./world.ts";

/** The Source that `server start --watch` makes. */
export const watchedSource = "watch";

/** The directory as the server will look for it. @throws CliError when there is none */
export async function checkWatched(directory: string): Promise<string> {
  try {
    const real = await realpath(directory);
    if (!(await stat(real)).isDirectory()) throw new CliError("it is no directory");
    return real;
  } catch (error) {
    throw new CliError(`Cannot watch ${directory}: ${codeOf(error) === "ENOENT" ? "there is no such directory" : messageOf(error)}`, { cause: error });
  }
}

/** Has the cluster follow the directory, now and after each start of the server, until the Source is deleted. */
export async function watchDirectory(session: Session, store: Store, path: string): Promise<void> {
  await store.patch("Source", { name: watchedSource }, {
    type: "apply",
    patch: { apiVersion: "vendetta.dev/v1alpha1", kind: "Source", metadata: { name: watchedSource }, spec: { directory: { path } } },
    force: true,
  }, { fieldManager: "vendetta-server-start" });
  session.tell(`The cluster follows ${path}, as Source "${watchedSource}" ('vendetta source status ${watchedSource}'; 'vendetta delete source ${watchedSource}' ends it and leaves the objects).`);
}
