import { StatusError } from "./status-error.ts";

/** One requirement of a label selector; all of a selector's must hold. */
export type LabelRequirement =
  | { readonly key: string; readonly operator: "In" | "NotIn"; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: "Exists" | "DoesNotExist" }
  /** The label's value and this one are whole numbers, and the label's is greater or less. */
  | { readonly key: string; readonly operator: "Gt" | "Lt"; readonly value: string };

/** Empty: selects everything. */
export type LabelSelector = readonly LabelRequirement[];

/** One requirement of a field selector: `metadata.name=x`, `spec.nodeName!=y`. */
export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}
export type FieldSelector = readonly FieldRequirement[];

/** What a label may be for Gt and Lt: labels hold no sign. */
const wholeNumber = /^\d{1,18}$/;

export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> = {}): boolean {
  return selector.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.operator) {
      case "In":
        return value !== undefined && requirement.values.includes(value);
      // As in Kubernetes, an object without the key satisfies NotIn.
      case "NotIn":
        return value === undefined || !requirement.values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
      case "Gt":
      case "Lt":
        if (value === undefined || !wholeNumber.test(value)) return false;
        return requirement.operator === "Gt" ? BigInt(value) > BigInt(requirement.value) : BigInt(value) < BigInt(requirement.value);
    }
  });
}

/** The value a field selector compares: the field as a string, "" when it is absent. */
function fieldAt(object: object, path: string): string {
  let at: unknown = object;
  for (const part of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return "";
    at = (at as Record<string, unknown>)[part];
  }
  return at === undefined || at === null ? "" : String(at);
}

export function matchesFields(selector: FieldSelector, object: object): boolean {
  return selector.every(({ path, equal, value }) => (fieldAt(object, path) === value) === equal);
}

/** Every object whose labels equal all of these. */
export function labelsEqual(labels: Readonly<Record<string, string>>): LabelSelector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: "In", values: [value] }));
}

/**
 * Parses `metadata.name=x,spec.nodeName!=y`. In a value a backslash stands before each comma, equals sign and backslash.
 * Source: k8s.io/apimachinery/pkg/fields, ParseSelector.
 * @param allowed the paths the kind declares
 * @throws StatusError BadRequest
 */
export function parseFieldSelector(text: string, allowed: readonly string[]): FieldSelector {
  const quoted = JSON.stringify(text.slice(0, 1000));
  // Parts are between commas that no backslash stands before.
  const parts = text.match(/(?:\\[^]|[^,\\]|\\$)+/g) ?? [];
  return parts.map((part) => {
    const match = /^([^=!]*)(!=|==|=)([^]*)$/.exec(part);
    if (!match) throw new StatusError("BadRequest", `Cannot parse field selector ${quoted}: cannot understand ${JSON.stringify(part.slice(0, 1000))}: write it like metadata.name=x,status.phase!=Running`);
    const path = match[1]!.trim();
    if (!allowed.includes(path)) throw new StatusError("BadRequest", `field label not supported: ${path.slice(0, 1000)}; this kind supports ${allowed.join(", ")}`);
    const value = match[3]!;
    if (!/^(?:\\[\\,=]|[^\\,=])*$/.test(value)) throw new StatusError("BadRequest", `Cannot parse field selector ${quoted}: in the value ${JSON.stringify(value.slice(0, 1000))} a backslash must stand before each comma, equals sign and backslash, and before nothing else`);
    return { path, equal: match[2] !== "!=", value: value.replace(/\\([\\,=])/g, "$1") };
  });
}
