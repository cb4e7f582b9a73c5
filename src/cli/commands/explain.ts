import { closestWord } from "../../api/closest-word.ts";
import { kindSchema, structuralSchema } from "../../api/crd.ts";
import { apiVersionOf, type KindDefinition } from "../../api/kind.ts";
import { objectMeta } from "../../api/meta.ts";
import { withDefaultsTold, type OpenApiSchema } from "../../api/openapi-schema.ts";
import { kindNames, kinds } from "../../api/registry.ts";
import { kindOfWord } from "../kind-words.ts";
import type { Session } from "../session.ts";
import { tableLines } from "../table-text.ts";
import { CliError } from "../world.ts";

const width = 100;

/** Tells what a field is, and what is in it: `service`, `service.spec.healthCheck.http`. */
export function explain(session: Session, path: string): Promise<void> {
  const [word = "", ...fields] = path.split(".").filter((part) => part !== "");
  const name = kindOfWord(word);
  const kind = kinds[name] as KindDefinition<never>;
  let schema = schemaOf(kind);
  let walked = word;
  for (const field of fields) {
    const inside = insideOf(schema);
    const next: OpenApiSchema | undefined = inside.properties !== undefined && Object.hasOwn(inside.properties, field) ? inside.properties[field] : typeof inside.additionalProperties === "object" ? inside.additionalProperties : undefined;
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

/** As the server's OpenAPI document tells it, metadata written out. */
function schemaOf(kind: KindDefinition<never>): OpenApiSchema {
  const metadata: OpenApiSchema = { description: "Name, namespace, labels and what else is the same for every kind.", ...structuralSchema(objectMeta) };
  return withDefaultsTold(kindSchema(kind, metadata));
}

/** The object a list or a map is made of; the schema itself otherwise. */
function insideOf(schema: OpenApiSchema): OpenApiSchema {
  return schema.items !== undefined ? insideOf(schema.items) : schema;
}

function typeName(schema: OpenApiSchema): string {
  if (schema.items !== undefined) return `[]${typeName(schema.items)}`;
  if (typeof schema.additionalProperties === "object") return `map[string]${typeName(schema.additionalProperties)}`;
  if (schema["x-kubernetes-int-or-string"] === true) return "IntOrString";
  return schema.type === "object" ? "Object" : (schema.type ?? "any");
}

function remarks(schema: OpenApiSchema, indent: string): string {
  const lines: string[] = [];
  const choices = schema.enum ?? schema.items?.enum;
  if (choices !== undefined) lines.push(`One of: ${choices.join(", ")}.`);
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
