import { StatusError } from "../api/status-error.ts";
import { messageOf } from "../base/errors.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

const charactersMax = 4000;

/** What a user reads of anything thrown. Never a stack. */
export function errorLine(error: unknown): string {
  if (error instanceof CliError) return bounded(`error: ${error.message}`);
  // A StatusError with a cause was made on this side: the server was not reached, or not understood.
  if (error instanceof StatusError && error.cause === undefined) return bounded(`Error from server (${error.reason}): ${error.message}`);
  return bounded(`error: ${messageOf(error)}`);
}

function bounded(text: string): string {
  const clean = printable(text);
  return clean.length > charactersMax ? `${clean.slice(0, charactersMax)}…` : clean;
}
