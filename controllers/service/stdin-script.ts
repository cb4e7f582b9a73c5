import { newlineVariable, shQuote } from "../../src/base/sh-quote.ts";

/**
 * Command line of a shell that takes its script from the first line of its stdin, made by `scriptLine`. A list of processes
 * shows this, which is short, and `title` and `args`; what follows that line on stdin is for the script.
 */
export function shellOfStdin(title: string, ...args: readonly string[]): readonly string[] {
  return ["sh", "-c", 'read -r v_script && eval "$v_script"', title, ...args];
}

/** That line, newline included. The variables are set before the script runs. */
export function scriptLine(script: string, variables: Readonly<Record<string, string>> = {}): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${shQuote(value)}; `);
  // The script is quoted for `eval`, which wants the newlines' variable set; command substitution takes a last newline away.
  return `${newlineVariable}=$(printf '\\n.'); ${newlineVariable}=\${${newlineVariable}%.}; ${assignments.join("")}eval ${shQuote(script)}\n`;
}
