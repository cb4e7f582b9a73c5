import { closestWord } from "../../api/closest-word.ts";
import { structuralSchema } from "../../api/crd.ts";
import { apiVersionOf, type KindDefinition } from "../../api/kind.ts";
import { objectMeta } from "../../api/meta.ts";
import { kindNames, kinds } from "../../api/registry.ts";
import { kindOfWord } from "../kind-words.ts";
import type { Session } from "../session.ts";
import { tableLines } from "../table-text.ts";
import { CliError } from "../world.ts";

/** The part of an OpenAPI schema that is told. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
}

const width = 100;

/** Tells what a field is, and what is in it: `service`, `service.spec.healthCheck.http`. */
export function explain(session: Session, path: string): Promise<void> {
  const [word = "", ...fields] = path.split(".").filter((part) => part !== "");
  const name = kindOfWord(word);
  const kind = kinds[name] as unknown as KindDefinition;
  let schema = schemaOf(kind);
  let walked = word;
  for (const field of fields) {
    const inside = insideOf(schema);
    const next: Schema | undefined = inside.properties !== undefined && Object.hasOwn(inside.properties, field) ? inside.properties[field] : typeof inside.additionalProperties === "object" ? inside.additionalProperties : undefined;
    if (next === undefined) {
      const meant = closestWord(field, Object.keys(inside.properties ?? {}));
      throw new CliError(`field "${field}" does not exist in ${walked}${meant === undefined ? "" : `; did you mean "${meant}"?`}`);
    }
    schema = next;
    walked += `.${field}`;
  }
  session.print(`KIND:     ${name}\nVERSION:  ${apiVersionOf(kind)}\n`);
  if (fields.length > 0) session.print(`FIELD:    ${fields.at(-1)} <${typeName(schema)}>\n`);
  session.print(`DESCRIPTION:\n${wrapped(schema.description ?? (fields.length === 0 ? kind.description : "No description."), "  ")}${remarks(schema, "  ")}`);
  const inside = insideOf(schema);
  const members = Object.entries(inside.properties ?? {});
  if (members.length > 0) session.print(`\nFIELDS:`);
  for (const [field, each] of members) {
    session.print(`  ${session.outStyle.bold(field)} <${typeName(each)}>${inside.required?.includes(field) === true ? " -required-" : ""}`);
    if (each.description !== undefined || each.enum !== undefined) session.print(`${wrapped(each.description ?? "", "    ")}${remarks(each, "    ")}`);
  }
  return Promise.resolve();
}

function schemaOf(kind: KindDefinition): Schema {
  const part = (schema: Parameters<typeof structuralSchema>[0], description: string): Schema => ({ ...(structuralSchema(schema) as Schema), description });
  const text = (description: string): Schema => ({ type: "string", description });
  const root = kind.rootSchema === undefined ? undefined : (structuralSchema(kind.rootSchema) as Schema);
  return {
    type: "object",
    description: kind.description,
    required: root?.required ?? [],
    properties: {
      apiVersion: text(`"${apiVersionOf(kind)}"`),
      kind: text(`"${kind.kind}"`),
      metadata: part(objectMeta, "Name, namespace, labels and what else is the same for every kind."),
      ...(kind.specSchema === undefined ? {} : { spec: part(kind.specSchema, "What is wished for.") }),
      ...(kind.statusSchema === undefined ? {} : { status: part(kind.statusSchema, "What is true, as last seen; written by the server alone.") }),
      ...root?.properties,
    },
  };
}

/** The object a list or a map is made of; the schema itself otherwise. */
function insideOf(schema: Schema): Schema {
  return schema.items !== undefined ? insideOf(schema.items) : schema;
}

function typeName(schema: Schema): string {
  if (schema.items !== undefined) return `[]${typeName(schema.items)}`;
  if (typeof schema.additionalProperties === "object") return `map[string]${typeName(schema.additionalProperties)}`;
  return schema.type === "object" ? "Object" : (schema.type ?? "any");
}

function remarks(schema: Schema, indent: string): string {
  const lines: string[] = [];
  const choices = schema.enum ?? schema.items?.enum;
  if (choices !== undefined) lines.push(`One of: ${choices.join(", ")}.`);
  if (schema.default !== undefined && typeof schema.default !== "object") lines.push(`Default: ${JSON.stringify(schema.default)}.`);
  return lines.map((line) => `\n${wrapped(line, indent)}`).join("");
}

function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => indent + each).join("\n");
}

export function apiResources(session: Session, { headers }: { readonly headers?: boolean | undefined }): Promise<void> {
  const rows = kindNames.map((name) => {
    const kind = kinds[name] as unknown as KindDefinition;
    return [kind.plural, kind.shortNames.join(","), apiVersionOf(kind), String(kind.scope === "Namespaced"), kind.kind];
  });
  for (const line of tableLines({ header: ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"], rows }, { style: session.outStyle, header: headers !== false })) session.print(line);
  return Promise.resolve();
}
