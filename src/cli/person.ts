import { timeoutSignal } from "../base/clock.ts";
import type { Person } from "../access/access.ts";
import { CliError, type CliWorld, type Input } from "./world.ts";

/** For one answer. */
const answerMsMax = 10 * 60_000;
const answerCharactersMax = 4096;

/**
 * The person at the terminal that stdin and stderr are. `before` is called in front of each question, to clear the line.
 */
export function createPerson({ stdin, stderr, clock }: CliWorld, signal: AbortSignal, before: () => void): Person {
  const isThere = stdin.isTTY === true && stderr.isTTY === true;
  const ask = async (question: string, hidden: boolean): Promise<string> => {
    if (!isThere) throw new CliError("nobody is there to be asked: this is no terminal");
    before();
    stderr.write(question);
    using bound = timeoutSignal(clock, answerMsMax, "waiting for an answer", signal);
    try {
      return await readAnswer(stdin, hidden, bound.signal);
    } finally {
      // The key that ended it was not shown.
      if (hidden) stderr.write("\n");
    }
  };
  return {
    isThere,
    confirm: async (question) => /^y(es)?$/i.test((await ask(`${question} [yes/no] `, false)).trim()),
    secret: (question) => ask(question, true),
  };
}

/** One line. In raw mode nothing that is typed is shown, and the keys that edit are ours to understand. */
function readAnswer(stdin: Input, hidden: boolean, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const settle = (end: () => void) => {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
      if (hidden) stdin.setRawMode?.(false);
      stdin.pause();
      end();
    };
    const onAbort = () => settle(() => reject(signal.reason as Error));
    const onEnd = () => settle(() => reject(new CliError("the terminal was closed before the answer")));
    const onData = (chunk: string | Buffer) => {
      for (const char of chunk.toString()) {
        if (char === "\r" || char === "\n") return settle(() => resolve(text));
        // Ctrl-C and Ctrl-D, which are only keys in raw mode.
        if (char === "\u0003" || char === "\u0004") return settle(() => reject(new CliError("given up")));
        if (char === "\u007f" || char === "\b") text = text.slice(0, -1);
        else if (text.length < answerCharactersMax) text += char;
      }
    };
    if (signal.aborted) return reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    if (hidden) stdin.setRawMode?.(true);
    stdin.on("data", onData);
    stdin.once("end", onEnd);
    stdin.resume();
  });
}
