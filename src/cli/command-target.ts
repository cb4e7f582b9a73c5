import { kindOfWord } from "./kind-words.ts";
import { CliError } from "./world.ts";

export interface CommandTarget {
  readonly kind: "Workspace" | "Service";
  readonly name: string;
}

/** What a command is to run in: `dev`, `workspace/dev` or `service/web`. @throws CliError */
export function commandTarget(word: string): CommandTarget {
  const slash = word.indexOf("/");
  if (slash < 0) return { kind: "Workspace", name: word };
  const kind = kindOfWord(word.slice(0, slash));
  if (kind !== "Workspace" && kind !== "Service") throw new CliError(`commands run in a workspace or a service; "${word}" is neither`);
  return { kind, name: word.slice(slash + 1) };
}
