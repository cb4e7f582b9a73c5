import type { User } from "./user.ts";

/** What a listener tells of the connection a request came over. */
export interface RequestContext {
  /** Aborts when the server stops, or when what the caller proved itself with is no longer good: streams end then. */
  readonly signal?: AbortSignal | undefined;
  /** Who asks. Undefined: somebody whose proof is wrong, who is told so whatever they ask for. */
  readonly user?: User | undefined;
}

/** Type of the Hono app; handlers see the context as `c.env`. */
export interface AppEnv {
  Bindings: RequestContext;
}
