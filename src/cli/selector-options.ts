import { parseLabelSelector } from "../api/label-selector.ts";
import { parseFieldSelector } from "../api/selectors.ts";
import { StatusError } from "../api/status-error.ts";
import type { Selection } from "../store/store.ts";
import { CliError } from "./world.ts";

export interface SelectorOptions {
  readonly selector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** What -l and --field-selector select. Which fields a kind has, its server knows. @throws CliError */
export function selectionOf(namespace: string | undefined, { selector, fieldSelector }: SelectorOptions): Selection {
  try {
    return {
      namespace,
      labels: selector === undefined ? undefined : parseLabelSelector(selector),
      fields: fieldSelector === undefined ? undefined : parseFieldSelector(fieldSelector, pathsNamedIn(fieldSelector)),
    };
  } catch (error) {
    if (error instanceof StatusError) throw new CliError(error.message, { cause: error });
    throw error;
  }
}

function pathsNamedIn(text: string): readonly string[] {
  return text.split(",").map((part) => part.split(/[!=]/)[0]!.trim());
}
