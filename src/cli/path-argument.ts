import { parseJsonPath, type JsonPath } from "../api/jsonpath.ts";
import { StatusError } from "../api/status-error.ts";
import { CliError } from "./world.ts";

/** A JSONPath as an option has it: as kubectl takes it, also without its leading dot. @throws CliError that begins with the option's name */
export function pathArgument(text: string, option: string): JsonPath {
  try {
    return parseJsonPath(/^[A-Za-z_]/.test(text) ? `.${text}` : text);
  } catch (error) {
    if (error instanceof StatusError) throw new CliError(`${option}: ${error.message}`, { cause: error });
    throw error;
  }
}
