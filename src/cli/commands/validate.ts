import { readSources } from "../manifest-sources.ts";
import { checkManifestSet, parseManifests } from "../manifests.ts";
import type { Session } from "../session.ts";

export interface ValidateOptions {
  readonly filename?: readonly string[] | undefined;
  readonly recursive?: boolean | undefined;
}

/** Checks manifests, each alone and all of them together, without a server. Says where everything that is wrong is. */
export async function validate(session: Session, { filename = [], recursive = false }: ValidateOptions): Promise<void> {
  const sources = await readSources(filename, { recursive, stdin: session.world.stdin });
  const objects = parseManifests(sources, session);
  checkManifestSet(objects, []);
  session.print(`${objects.length} ${objects.length === 1 ? "object" : "objects"} in ${sources.length} ${sources.length === 1 ? "file" : "files"}: nothing wrong.`);
}
