import type { Hono } from "hono";
import { rotatePath } from "../api/paths.ts";
import type { AppEnv } from "./app-env.ts";
import { Query } from "./query.ts";
import { jsonResponse } from "./status-response.ts";

/** Replaces what network clients prove themselves with. Resolves when the old is refused and the new is in the kubeconfig. @throws StatusError */
export type Rotate = (wish: { readonly authority: boolean }) => Promise<void>;

/** `POST /credentials/rotate[?authority=true]`: not a resource, as little as /livez is. The answer holds no secret. */
export function addRotation(app: Hono<AppEnv>, rotate: Rotate): void {
  app.post(rotatePath, async (c) => {
    await rotate({ authority: new Query(c.req.url).flag("authority") });
    return jsonResponse({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
  });
}
