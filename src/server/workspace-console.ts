import type { Hono } from "hono";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import type { NamespacedName } from "../base/keys.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import { StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";
import { Query } from "./query.ts";
import { unknownPath } from "./status-response.ts";

/**
 * The end of what a Workspace's console showed, at most so many bytes. Handed in by the composition root, which knows where
 * instances are. @throws StatusError BadRequest where there is no console
 */
export type WorkspaceConsole = (ref: NamespacedName, bytesMax: number, signal: AbortSignal) => Promise<string>;

/** Of one answer. */
export const consoleBytesMax = 1024 * 1024;
const readMsMax = 30_000;

/** `GET …/workspaces/:name/console?limitBytes=`, plain text: the last bytes, all that are kept up to 1 MiB by default. */
export function addWorkspaceConsole(app: Hono<AppEnv>, { store, clock, showConsole }: { readonly store: Store; readonly clock: Clock; readonly showConsole: WorkspaceConsole | undefined }): void {
  app.get(`${groupPath(kindPaths.Workspace)}/namespaces/:namespace/workspaces/:name/console`, async (c) => {
    if (showConsole === undefined) throw unknownPath();
    const limitBytes = new Query(c.req.url).count("limitBytes") ?? consoleBytesMax;
    if (limitBytes === 0) throw new StatusError("BadRequest", "Cannot read the query's limitBytes: must be greater than 0");
    const ref = { namespace: c.req.param("namespace"), name: c.req.param("name") };
    await store.get("Workspace", ref);
    using bound = timeoutSignal(clock, readMsMax, `reading the console of workspace "${ref.name}"`, c.req.raw.signal);
    const text = await showConsole(ref, Math.min(limitBytes, consoleBytesMax), bound.signal);
    return new Response(text, { headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" } });
  });
}
