import { StatusError } from "./status-error.ts";

/** One requirement of a label selector; all of a selector's must hold. */
export type LabelRequirement =
  | { readonly key: string; readonly operator: "In" | "NotIn"; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: "Exists" | "DoesNotExist" };

/** Empty: selects everything. */
export type LabelSelector = readonly LabelRequirement[];

/** One requirement of a field selector: `metadata.name=x`, `spec.nodeName!=y`. */
export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}
export type FieldSelector = readonly FieldRequirement[];

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

const keyPattern = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const valuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/**
 * Parses `app=web,tier!=db,env in (a,b),zone notin (c),gpu,!spot`.
 * Source: k8s.io/apimachinery/pkg/labels, grammar of Parse.
 * @throws StatusError BadRequest, with the part that cannot be read
 */
export function parseLabelSelector(text: string): LabelSelector {
  return splitOutsideParentheses(text).map((part) => {
    const refuse = (why: string) => new StatusError("BadRequest", `Cannot parse label selector "${text}": ${why} in "${part}"; write it like app=web,tier in (a,b),!legacy`);
    const key = (raw: string) => {
      const trimmed = raw.trim();
      if (!keyPattern.test(trimmed)) throw refuse(`"${trimmed}" is not a label key`);
      return trimmed;
    };
    const value = (raw: string) => {
      const trimmed = raw.trim();
      if (!valuePattern.test(trimmed)) throw refuse(`"${trimmed}" is not a label value`);
      return trimmed;
    };
    const set = /^(.+?)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
    if (set) return { key: key(set[1]!), operator: set[2] === "in" ? "In" : "NotIn", values: set[3]!.split(",").map(value) } as const;
    const compared = /^([^=!]+?)(!=|==|=)([^=!]*)$/.exec(part);
    if (compared) return { key: key(compared[1]!), operator: compared[2] === "!=" ? "NotIn" : "In", values: [value(compared[3]!)] } as const;
    if (part.startsWith("!")) return { key: key(part.slice(1)), operator: "DoesNotExist" } as const;
    return { key: key(part), operator: "Exists" } as const;
  });
}

/** Parses `metadata.name=x,spec.nodeName!=y`. `allowed` are the paths the kind declares. @throws StatusError BadRequest */
export function parseFieldSelector(text: string, allowed: readonly string[]): FieldSelector {
  return splitOutsideParentheses(text).map((part) => {
    const match = /^([^=!]+?)(!=|==|=)(.*)$/.exec(part);
    if (!match) throw new StatusError("BadRequest", `Cannot parse field selector "${text}": expected path=value or path!=value, found "${part}"`);
    const path = match[1]!.trim();
    if (!allowed.includes(path)) throw new StatusError("BadRequest", `field label not supported: ${path}; this kind supports ${allowed.join(", ")}`);
    return { path, equal: match[2] !== "!=", value: match[3]!.trim() };
  });
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (i === text.length || (text[i] === "," && depth === 0)) {
      const part = text.slice(from, i).trim();
      if (part !== "") parts.push(part);
      from = i + 1;
    }
  }
  return parts;
}
