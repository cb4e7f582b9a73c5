import { isFields } from "../../base/fields.ts";
import { fieldSet, holdsFields, leafNode, type FieldNode, type FieldSet, type PathElement } from "./field-set.ts";
import { compareElements, parseElement } from "./path-element.ts";

/** FieldsV1 on the wire: an object for each step, `{}` for a field with none below it, `"."` beside others for the field itself. */
export type FieldsV1 = { readonly [element: string]: FieldsV1 };

/** Levels of a set that is read: no object has more. */
const depthMax = 110;

/** The set as metav1.FieldsV1. Source: sigs.k8s.io/structured-merge-diff/v4/fieldpath, Set.ToJSON. */
export function encodeFields(set: FieldSet): FieldsV1 {
  const elements = [...set].sort(([a], [b]) => compareElements(a, b));
  return Object.fromEntries(elements.map(([element, { member, below }]) => [element, below.size === 0 ? {} : { ...encodeFields(below), ...(member && { ".": {} }) }]));
}

/**
 * The set that a FieldsV1 stands for. Steps of a kind that is not known are left out, as they are by Kubernetes.
 * @returns undefined when it is none: no object, a key that is no JSON, too deep
 */
export function decodeFields(value: unknown): FieldSet | undefined {
  try {
    return decode(value, 0).below;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @throws SyntaxError */
function decode(value: unknown, depth: number): FieldNode {
  if (!isFields(value)) throw new SyntaxError("fields are written as objects");
  if (depth > depthMax) throw new SyntaxError(`fields are nested deeper than ${depthMax} levels`);
  const { ".": self, ...fields } = value;
  const nodes = new Map<PathElement, FieldNode>();
  for (const [text, inner] of Object.entries(fields)) {
    const element = parseElement(text);
    if (element !== undefined) nodes.set(element, decode(inner, depth + 1));
  }
  const below = fieldSet(nodes);
  const node = { member: self !== undefined, below };
  // A field with none below it is there for itself.
  return holdsFields(node) ? node : leafNode;
}
