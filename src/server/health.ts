import type { Hono } from "hono";
import type { AppEnv } from "./app-env.ts";

/** One thing that may be wrong with the server. */
export interface HealthCheck {
  readonly name: string;
  /** True: when it fails the process is broken (/livez). False: it only cannot serve yet, or any more (/readyz). */
  readonly live: boolean;
  /** What is wrong in a few words without secrets; undefined: nothing. Must answer at once. */
  check(): string | undefined;
}

/** /livez, /readyz and the older /healthz: "ok", or 500 with the checks one a line. `?verbose` always lists them. */
export function addHealth(app: Hono<AppEnv>, checks: readonly HealthCheck[]): void {
  for (const [path, wanted] of [["/livez", checks.filter((each) => each.live)], ["/readyz", checks], ["/healthz", checks]] as const) {
    app.get(path, (c) => {
      const results = wanted.map((each) => ({ name: each.name, trouble: each.check() }));
      const failed = results.some((each) => each.trouble !== undefined);
      const lines = results.map(({ name, trouble }) => (trouble === undefined ? `[+]${name} ok` : `[-]${name} failed: ${trouble}`));
      const verbose = failed || c.req.query("verbose") !== undefined;
      const text = verbose ? [...lines, `${path.slice(1)} check ${failed ? "failed" : "passed"}`, ""].join("\n") : "ok";
      return new Response(text, { status: failed ? 500 : 200, headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" } });
    });
  }
}
