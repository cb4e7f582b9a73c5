import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";

/** Whether a request asks for a watch, as the handlers read its query. */
export function isWatch(c: Context<AppEnv>): boolean {
  const value = c.req.query("watch");
  return c.req.method === "GET" && value !== undefined && value !== "false" && value !== "0";
}
