import type { Hono } from "hono";
import { timeoutSignal, type Clock } from "../base/clock.ts";
import { groupPath, kindPaths } from "../api/paths.ts";
import type { SourcePlanAnswer } from "../api/source-plan.ts";
import type { Store } from "../store/store.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonResponse, unknownPath } from "./status-response.ts";

/** What a sync of a Source would do. Handed in by the composition root, which knows the loop that would. @throws StatusError NotFound */
export type SourcePlans = (name: string, signal: AbortSignal) => Promise<SourcePlanAnswer>;

/** A repository may have to be asked first. Below what a client waits for an answer. */
const planMsMax = 25_000;

/** `GET …/sources/:name/plan`: reads, and changes nothing. */
export function addSourcePlan(app: Hono<AppEnv>, { store, clock, plans }: { readonly store: Store; readonly clock: Clock; readonly plans: SourcePlans | undefined }): void {
  app.get(`${groupPath(kindPaths.Source)}/sources/:name/plan`, async (c) => {
    if (plans === undefined) throw unknownPath();
    const name = c.req.param("name");
    await store.get("Source", { name });
    using bound = timeoutSignal(clock, planMsMax, `reading Source "${name}"`, c.req.raw.signal);
    return jsonResponse(await plans(name, bound.signal));
  });
}
