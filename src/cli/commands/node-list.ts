import type { Session } from "../session.ts";
import { get } from "./get.ts";

/** What a line of all columns takes with names and addresses of usual length. Characters. */
const wideColumnsMin = 120;

/** Nodes with all their columns, where a terminal has room for them. */
export async function nodeList(session: Session, { output }: { readonly output?: string | undefined }): Promise<void> {
  const { stdout } = session.world;
  const isNarrow = stdout.isTTY === true && (stdout.columns ?? 80) < wideColumnsMin;
  await get(session, ["nodes"], { output: output ?? (isNarrow ? undefined : "wide") });
}
