import type { Command } from "commander";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { grammarOf, type GrammarCommand } from "../completion/grammar.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { Session } from "../session.ts";

const shells = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Record<string, (program: GrammarCommand) => string>;

export type CompletionShell = keyof typeof shells;

/** Prints a shell's completion script: the grammar of this version, and calls of `vendetta get` for what is in the store. */
export function completion({ world: { stdout } }: Session, shell: CompletionShell, program: Command): Promise<void> {
  stdout.write(shells[shell](grammarOf(program)));
  return Promise.resolve();
}
