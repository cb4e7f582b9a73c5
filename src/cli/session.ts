import type { HomePaths } from "../base/home.ts";
import type { HttpStore } from "../client/http-store.ts";
import type { Style } from "./style.ts";
import type { CliWorld } from "./world.ts";

export interface GlobalOptions {
  readonly namespace?: string | undefined;
  readonly color?: boolean | undefined;
}

/** Carries out a command in a session made for it, and closes that. */
export type RunInSession = (action: (session: Session) => Promise<void>) => Promise<void>;

/** One command's run: what it was told, where it writes, and its way to the server. */
export interface Session {
  readonly world: CliWorld;
  readonly paths: HomePaths;
  /** What -n says, or "default". */
  readonly namespace: string;
  readonly namespaceGiven: boolean;
  readonly signal: AbortSignal;
  /** Styles for stdout and for stderr: each may be a terminal or not. */
  readonly outStyle: Style;
  readonly errStyle: Style;
  /** Writes a whole line (or lines) to stdout. */
  print(text: string): void;
  /** The same to stderr. */
  tell(text: string): void;
  /** The server's store; starts the server when none runs, unless VENDETTA_NO_AUTOSTART=1. */
  connect(): Promise<HttpStore>;
  close(): Promise<void>;
}
