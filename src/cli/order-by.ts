import { formatJsonPathValue } from "../api/jsonpath.ts";
import { parseQuantity } from "../api/quantity.ts";
import { pathArgument } from "./path-argument.ts";
import { CliError } from "./world.ts";

/** Orders each of some lists; `objectOf` answers what an item stands for. @throws CliError when no object of any list has the field */
export type Sorter = <T>(lists: readonly (readonly T[])[], objectOf: (item: T) => object | undefined) => readonly (readonly T[])[];

/**
 * Orders by the value at a path: numbers and quantities by size, all else as text; objects without one come first, and
 * those that are equal stay as they were. As kubectl, it takes a path that leads nowhere for a mistake.
 * @throws CliError when it is no path
 */
export function orderBy(text: string): Sorter {
  if (text.trim() === "") throw new CliError("--sort-by: say which field, such as .metadata.creationTimestamp");
  const path = pathArgument(text, "--sort-by");
  return (lists, objectOf) => {
    const valued = lists.map((items) => items.map((item) => ({ item, value: path(objectOf(item))[0] ?? undefined })));
    if (lists.some((items) => items.length > 0) && valued.every((each) => each.every(({ value }) => value === undefined))) {
      throw new CliError(`--sort-by: none of them has a field ${text}; 'vendetta explain KIND' tells which there are`);
    }
    return valued.map((each) => each.sort((a, b) => compare(a.value, b.value)).map(({ item }) => item));
  };
}

function compare(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const [m, n] = [sizeOf(a), sizeOf(b)];
  if (m !== undefined && n !== undefined) return m - n;
  const [x, y] = [formatJsonPathValue(a), formatJsonPathValue(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function sizeOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : typeof value === "string" ? parseQuantity(value) : undefined;
}
