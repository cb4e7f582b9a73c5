import { findCondition } from "../../api/conditions.ts";
import { humanDuration } from "../../api/human-duration.ts";
import type { Source } from "../../api/source.ts";
import type { Session } from "../session.ts";
import { printable, stateStyle } from "../style.ts";

/** One Source: what it follows, what was applied last, and all that keeps the cluster from being as it says. */
export async function sourceStatus(session: Session, name: string): Promise<void> {
  const { clock } = session.world;
  const store = await session.connect();
  const { spec, status = {} } = await store.get("Source", { name });
  const line = (label: string, text: string) => session.print(`${`${label}:`.padEnd(14)}${printable(text)}`);
  const ago = (time: string) => `${humanDuration(clock.now() - Date.parse(time))} ago`;
  line("Name", name);
  line("Follows", placeText(spec));
  for (const type of ["Ready", "Fetched", "PruneHeld"] as const) {
    const found = findCondition(status.conditions, type);
    if (found === undefined) continue;
    const isGood = found.status === (type === "PruneHeld" ? "False" : "True");
    session.print(`${`${type}:`.padEnd(14)}${stateStyle(session.outStyle, found.status === "Unknown" ? "Unknown" : isGood ? "True" : "False")(found.status)} (${found.reason}: ${printable(found.message)})`);
  }
  line("Applied", status.lastAppliedRevision === undefined ? "nothing yet" : `${status.lastAppliedRevision}${status.lastAppliedTime === undefined ? "" : `, ${ago(status.lastAppliedTime)}`}`);
  if (status.lastAttemptedRevision !== status.lastAppliedRevision && status.lastAttemptedRevision !== undefined) line("Read", status.lastAttemptedRevision);
  line("Objects", String(status.objects ?? 0));

  const list = (title: string, texts: readonly string[], count = texts.length) => {
    if (texts.length === 0) return;
    session.print(`\n${title}:`);
    for (const text of texts) session.print(`  ${printable(text)}`);
    if (count > texts.length) session.print(`  … and ${count - texts.length} more`);
  };
  list("Problems", (status.problems ?? []).map(({ file, line: at, column, message }) => [...[file, at, column].filter((each) => each !== undefined && each !== ""), ` ${message}`].join(":").replace(/^ /, "")), status.problemCount);
  list("Held deletions", status.heldPrune?.objects ?? [], status.heldPrune?.count);
  list("Changed by others", (status.drift ?? []).map(({ kind, namespace, name: object, fields }) => `${kind} ${namespace === undefined ? "" : `${namespace}/`}${object}: ${fields.join(", ")}`));
}

function placeText({ directory, git, suspend }: Source["spec"]): string {
  const place = git === undefined ? `directory ${directory?.path}, looked through every ${directory?.intervalSeconds} s` : `${git.ref} of ${git.url}${git.path === "" ? "" : `, directory ${git.path}`}, fetched every ${git.intervalSeconds} s`;
  return suspend ? `${place}; suspended` : place;
}
