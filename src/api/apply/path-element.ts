import { isFields } from "../../base/fields.ts";
import type { PathElement } from "./field-set.ts";

/** A field of an object or an entry of a map. The prefix makes any name harmless as a key. */
export function fieldElement(name: string): PathElement {
  return `f:${name}`;
}

/** The list item whose key fields have these values. */
export function keyElement(keys: Readonly<Record<string, unknown>>): PathElement {
  return `k:${canonical(keys)}`;
}

/** The item of a set with this value. */
export function valueElement(value: unknown): PathElement {
  return `v:${canonical(value)}`;
}

/** The item of a list at this place, counted from 0. */
export function indexElement(index: number): PathElement {
  return `i:${index}`;
}

/** A step as FieldsV1 has it, in its canonical form; undefined for a kind of step that is not known. @throws SyntaxError when what follows the prefix cannot be read */
export function parseElement(text: string): PathElement | undefined {
  const value = text.slice(2);
  switch (text.slice(0, 2)) {
    case "f:":
      return text;
    case "v:":
      return valueElement(JSON.parse(value));
    case "k:": {
      const keys: unknown = JSON.parse(value);
      if (!isFields(keys)) throw new SyntaxError(`${text} names no keys`);
      return keyElement(keys as Readonly<Record<string, unknown>>);
    }
    case "i:":
      if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`${text} names no place in a list`);
      return indexElement(Number(value));
    default:
      return undefined;
  }
}

/** A path as Kubernetes prints it: `.spec.ports[name="web"].port`, `.metadata.finalizers[="a/b"]`. */
export function pathText(path: readonly PathElement[]): string {
  return path.map(elementText).join("");
}

function elementText(element: PathElement): string {
  const value = element.slice(2);
  switch (element.slice(0, 2)) {
    case "k:":
      return `[${Object.entries(JSON.parse(value) as object).map(([name, key]) => `${name}=${JSON.stringify(key)}`).join(",")}]`;
    case "v:":
      return `[=${value}]`;
    case "i:":
      return `[${value}]`;
    default:
      return `.${value}`;
  }
}

/** Order of steps in FieldsV1: fields, keys, values, places; each in code-unit order. */
export function compareElements(a: PathElement, b: PathElement): number {
  const rank = (element: PathElement) => "fkvi".indexOf(element[0]!);
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** JSON with the fields of objects in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value).filter(([, each]) => each !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}
