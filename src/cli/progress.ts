import { resourceName } from "./kind-words.ts";
import type { AwaitedObject } from "./await-objects.ts";
import type { Session } from "./session.ts";
import { printable, stateStyle } from "./style.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
const rowsMax = 30;
const toldMax = 10_000;

/** Tells on stderr how a wait goes: a block that is redrawn on a terminal, one line a change anywhere else. */
export interface Progress extends Disposable {
  update(states: readonly AwaitedObject[]): void;
}

export function createProgress(session: Session): Progress {
  return session.world.stderr.isTTY === true && session.world.env["TERM"] !== "dumb" ? blockProgress(session) : lineProgress(session);
}

const labelOf = ({ target }: AwaitedObject) => `${resourceName(target.kind).split(".")[0]}/${target.name}`;

function lineProgress({ tell }: Session): Progress {
  // What is tried again and again goes through the same states: each is told once.
  const told = new Set<string>();
  return {
    update(states) {
      for (const state of states) {
        const { verdict } = state;
        const line = `${labelOf(state)}: ${verdict.state}${verdict.message === "" ? "" : ` (${printable(verdict.message)})`}`;
        if (told.has(line)) continue;
        tell(line);
        if (told.size < toldMax) told.add(line);
      }
    },
    [Symbol.dispose]() {},
  };
}

function blockProgress({ world: { stderr, clock }, errStyle: style }: Session): Progress {
  const begun = clock.monotonic();
  let latest: readonly AwaitedObject[] = [];
  let drawn = 0;
  let frame = 0;
  let timer: Disposable | undefined;
  const draw = (ended: boolean) => {
    const width = Math.max(20, (stderr.columns ?? 80) - 1);
    const seconds = Math.floor((clock.monotonic() - begun) / 1000);
    const shown = latest.length <= rowsMax ? latest : [...latest.filter((each) => !each.verdict.done), ...latest.filter((each) => each.verdict.done)].slice(0, rowsMax);
    const wide = Math.max(0, ...shown.map((each) => labelOf(each).length));
    const lines = shown.map((each) => {
      const { done, state, message } = each.verdict;
      const mark = done ? style.good("✓") : ended ? style.bad("✗") : style.warn(frames[frame % frames.length]!);
      const plain = `${labelOf(each).padEnd(wide)}  ${state}${message === "" ? "" : `  ${printable(message).replaceAll("\n", " ")}`}`;
      const cut = plain.length > width - 2 ? `${plain.slice(0, width - 3)}…` : plain;
      return `${mark} ${cut.replace(state, (word) => stateStyle(style, word)(word))}`;
    });
    if (!ended) lines.push(style.dim(`${latest.filter((each) => each.verdict.done).length} of ${latest.length} ready, ${seconds} s`));
    stderr.write(`${drawn > 0 ? `\u001b[${drawn}A` : ""}${lines.map((line) => `\u001b[2K${line}\n`).join("")}\u001b[0J`);
    drawn = lines.length;
  };
  const tick = () => {
    frame++;
    draw(false);
    timer = clock.after(frameMs, tick);
  };
  return {
    update(states) {
      latest = states;
      draw(false);
      timer ??= clock.after(frameMs, tick);
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]();
      if (timer !== undefined) draw(true);
    },
  };
}
