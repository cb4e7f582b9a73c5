import type { Store } from "../store/store.ts";
import { awaitObjects, type AwaitOptions, type AwaitTarget } from "./await-objects.ts";
import { resourceName } from "./kind-words.ts";
import { createProgress } from "./progress.ts";
import { settled } from "./readiness.ts";
import type { Session } from "./session.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

const listedMax = 20;

/** Waits until all are as they are wished, telling how it goes. @throws CliError listing those that are not when the time is up */
export async function waitUntilSettled(session: Session, store: Store, targets: readonly AwaitTarget[], timeoutMs: number, judge: AwaitOptions["judge"] = settled): Promise<void> {
  const { clock } = session.world;
  using progress = createProgress(session);
  const states = await awaitObjects(store, targets, { clock, timeoutMs, signal: session.signal, judge, onChange: (now) => progress.update(now) });
  const late = states.filter((each) => !each.verdict.done);
  if (late.length === 0) return;
  progress[Symbol.dispose]();
  const lines = late.slice(0, listedMax).map(({ target, verdict }) => `  ${resourceName(target.kind)}/${target.name}: ${verdict.state}${verdict.message === "" ? "" : `: ${printable(verdict.message)}`}`);
  if (late.length > listedMax) lines.push(`  … and ${late.length - listedMax} more`);
  const final = late.find((each) => each.verdict.final === true);
  const over = final !== undefined;
  const first = (final ?? late[0]!).target;
  throw new CliError(`${late.length} of ${states.length} not ready${over ? "" : ` after ${timeoutMs / 1000} s`}:\n${lines.join("\n")}\n${over ? "What has failed for good waits for a change; the others go on trying" : "They go on trying"}; 'vendetta explain-state ${first.kind.toLowerCase()} ${first.name}${first.namespace === undefined || first.namespace === "default" ? "" : ` -n ${first.namespace}`}' tells why`);
}
