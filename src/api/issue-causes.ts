import { z } from "zod";
import { valueAt } from "../base/fields.ts";
import { closestWord } from "./closest-word.ts";
import type { StatusCause } from "./status-error.ts";

/** Values longer than this are not repeated in a message. Characters. */
const quotedCharactersMax = 80;

/** A path as people write it: `spec.ports[0].port`, `metadata.labels["example.com/app"]`. */
export function pathOf(root: string, path: readonly PropertyKey[]): string {
  let text = root;
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : /^[\w-]+$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(String(part))}]`;
  return text;
}

/** Of an object's schema: fields it does not have that people look for in it, and what is said of them ("ports are …"). */
export const soughtElsewhere = z.registry<Readonly<Record<string, string>>>();

const unknownWords = "unknown field";

/** @param known what the field could have been meant to be */
export function unknownField(field: string, name: string, known: readonly string[], prefix = ""): StatusCause {
  const meant = closestWord(name, known);
  return { field, message: meant === undefined ? unknownWords : `${unknownWords}; did you mean "${prefix}${meant}"?`, reason: "FieldValueInvalid" };
}

/** A field that is misspelled is why another one is missed: what nobody knows comes first, the rest in its order. */
export function unknownFirst(causes: readonly StatusCause[]): readonly StatusCause[] {
  const isUnknown = ({ message }: StatusCause) => message.startsWith(unknownWords);
  return [...causes.filter(isUnknown), ...causes.filter((each) => !isUnknown(each))];
}

/**
 * What a schema found wrong with a value, in our words.
 * @param root path of the value in its object
 */
export function issueCauses(issues: readonly z.core.$ZodIssue[], schema: z.ZodType, value: unknown, root: string): readonly StatusCause[] {
  return issues.flatMap((issue) => causesOf(issue, schema, value, root));
}

function causesOf(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, root: string): StatusCause[] {
  const field = pathOf(root, issue.path) || "(root)";
  const found = valueAt(value, issue.path);
  const cause = (message: string, reason: string): StatusCause[] => [{ field, message, reason }];
  const absent = found === undefined || found === null;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const at = pathOf(root, [...issue.path, key]);
        const object = objectAt(schema, issue.path);
        const sought = object && soughtElsewhere.get(object)?.[key];
        return sought === undefined ? unknownField(at, key, fieldsOf(object)) : { field: at, message: `${unknownWords}; ${sought}`, reason: "FieldValueInvalid" };
      });
    case "invalid_type":
      return absent ? cause("is required", "FieldValueRequired") : cause(`must be ${typeWords[issue.expected] ?? issue.expected}; found ${described(found)}${quotingHint(issue.expected, found)}`, "FieldValueTypeInvalid");
    case "invalid_value": {
      const values = issue.values.map(String);
      if (absent) return cause(`is required: one of ${values.join(", ")}`, "FieldValueRequired");
      const meant = typeof found === "string" ? closestWord(found, values) : undefined;
      return cause(`must be one of ${values.join(", ")}; found ${described(found)}${meant === undefined ? "" : `; did you mean "${meant}"?`}`, "FieldValueNotSupported");
    }
    case "invalid_key":
      return cause(`the key ${described(String(issue.path.at(-1)))} ${issue.issues[0]?.message ?? "is not allowed"}`, "FieldValueInvalid");
    case "invalid_union": {
      const expected = issue.errors.flat().flatMap((each) => (each.code === "invalid_type" ? [typeWords[each.expected] ?? each.expected] : []));
      if (absent) return cause("is required", "FieldValueRequired");
      return cause(`must be ${[...new Set(expected)].join(" or ") || "something else"}; found ${described(found)}`, "FieldValueTypeInvalid");
    }
    case "too_big":
    case "too_small":
      return cause(isDefaultMessage(issue.message) ? boundMessage(issue, found) : subjectFirst(found, issue.message), "FieldValueInvalid");
    default:
      return cause(isDefaultMessage(issue.message) ? `${issue.message.replace(/^[^:]*: /, "")}; found ${described(found)}` : subjectFirst(found, issue.message), "FieldValueInvalid");
  }
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a string", number: "a number", int: "a whole number", boolean: "true or false", array: "a list", record: "a map", object: "a map",
};

/** YAML reads 5 and true as a number and a boolean, and "5" as a string. */
function quotingHint(expected: string, found: unknown): string {
  if (expected === "string" && (typeof found === "number" || typeof found === "boolean")) return `; put it in quotes: "${String(found)}"`;
  if ((expected === "number" || expected === "int") && typeof found === "string" && /^-?\d+(\.\d+)?$/.test(found)) return "; take the quotes away";
  return "";
}

/** zod's own words; our schemas' start with "must", "is" and the like, in lower case. */
function isDefaultMessage(message: string): boolean {
  return /^(Invalid|Too (big|small))/.test(message);
}

function boundMessage(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall, found: unknown): string {
  const big = issue.code === "too_big";
  const bound = String(big ? issue.maximum : issue.minimum);
  const direction = big ? "at most" : "at least";
  if (issue.origin === "string") return `must have ${direction} ${bound} characters; it has ${String(found).length}`;
  if (issue.origin === "array") return `must have ${direction} ${bound} ${bound === "1" ? "entry" : "entries"}; it has ${Array.isArray(found) ? found.length : "none"}`;
  return `must be ${direction} ${bound}; found ${described(found)}`;
}

/** `"Web" must consist of …` when the value fits in the line. */
function subjectFirst(found: unknown, message: string): string {
  if (message.startsWith("must") === false || typeof found === "object" || found === undefined) return message;
  return isQuotable(found) ? `${JSON.stringify(found)} ${message}` : message;
}

/** Whether a message may repeat it. */
export function isQuotable(value: unknown): boolean {
  // Control characters would break the line, or the terminal it is shown on.
  return typeof value !== "string" || (value.length <= quotedCharactersMax && !/\p{Cc}/u.test(value));
}

function described(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "object") return "a map";
  if (typeof value !== "string") return String(value);
  return isQuotable(value) ? JSON.stringify(value) : `a string of ${value.length} characters`;
}

/** What of zod's definitions is needed to find an object's fields. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
}

/** Field names the schema knows; none when it is no object. */
export function fieldsOf(schema: z.ZodType | undefined): readonly string[] {
  const definition = objectAt(schema, [])?._zod.def as Definition | undefined;
  return Object.keys(definition?.shape ?? {});
}

/** The schema that is meant at a path, without what stands around it. */
function objectAt(schema: z.ZodType | undefined, path: readonly PropertyKey[]): z.ZodType | undefined {
  const definition = schema?._zod.def as Definition | undefined;
  if (definition === undefined) return undefined;
  // optional, nullable, default, prefault and pipe stand around the schema that is meant.
  const inner = definition.innerType ?? definition.in;
  if (inner !== undefined) return objectAt(inner, path);
  const [first, ...rest] = path;
  if (first === undefined) return schema;
  return objectAt(definition.shape?.[String(first)] ?? definition.element ?? definition.valueType, rest);
}
