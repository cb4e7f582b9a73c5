import type { Step } from "../access/access.ts";
import type { Session } from "./session.ts";
import { printable } from "./style.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
const nameWidth = 15;

/** Tells on stderr of one step after the other; on a terminal also which one is under way. */
export interface StepProgress extends Disposable {
  readonly onStep: (step: Step) => void;
  /** Takes the running step's line away, as something else is to be written. It comes back with the next step. */
  clear(): void;
}

export function createStepProgress({ world: { stderr, clock, env }, errStyle: style, tell }: Session): StepProgress {
  const isLive = stderr.isTTY === true && env["TERM"] !== "dumb";
  let running: string | undefined;
  let frame = 0;
  let timer: Disposable | undefined;
  const draw = () => {
    stderr.write(`\r\u001b[2K${style.warn(frames[frame++ % frames.length]!)} ${running}`);
    timer = clock.after(frameMs, draw);
  };
  const clear = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    if (isLive && running !== undefined) stderr.write("\r\u001b[2K");
    running = undefined;
  };
  return {
    clear,
    onStep({ name, state, text }) {
      clear();
      if (state === "running") {
        running = name;
        if (isLive) draw();
        return;
      }
      const line = `${name.padEnd(nameWidth)} ${printable(text).replaceAll("\n", " ")}`;
      tell(`${state === "done" ? style.good("✓") : style.warn("!")} ${line}`);
    },
    [Symbol.dispose]: clear,
  };
}
