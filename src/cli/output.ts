import { StatusError } from "../api/status-error.ts";
import { resourceName } from "./kind-words.ts";
import type { KindName } from "../api/registry.ts";
import { CliError } from "./world.ts";

/** A printable object, or a List of them. */
export interface Printable {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string };
  readonly items?: readonly Printable[];
}

/** Words that YAML 1.1 readers, kubectl among them, would take for something else ("on", a time) are quoted. */
export const yamlOptions = { aliasDuplicateObjects: false, lineWidth: 0, compat: "yaml-1.1" } as const;

export type OutputFormat =
  | { readonly type: "table"; readonly wide: boolean }
  /** Text of the whole, ended by a newline unless empty. */
  | { readonly type: "object"; readonly render: (value: Printable) => string };

const formats = "json, yaml, name, wide or jsonpath=TEMPLATE";

export interface OutputOptions {
  /** JSON and YAML with metadata.managedFields, which say little to most readers. Default false, as kubectl has it. */
  readonly showManagedFields?: boolean | undefined;
}

/** What `-o` means. @throws CliError */
export async function outputFormat(text: string | undefined, { showManagedFields = false }: OutputOptions = {}): Promise<OutputFormat> {
  const shown = showManagedFields ? (value: Printable) => value : withoutManagedFields;
  if (text === undefined || text === "" || text === "wide") return { type: "table", wide: text === "wide" };
  if (text === "json") return { type: "object", render: (value) => `${JSON.stringify(shown(value), undefined, 2)}\n` };
  if (text === "name") return { type: "object", render: (value) => (value.items ?? [value]).map((each) => `${nameOf(each)}\n`).join("") };
  if (text === "yaml") {
    const { stringify } = await import("yaml");
    return { type: "object", render: (value) => stringify(shown(value), yamlOptions) };
  }
  if (text.startsWith("jsonpath=")) {
    const { parseJsonPathTemplate } = await import("../api/jsonpath-template.ts");
    try {
      const template = parseJsonPathTemplate(text.slice("jsonpath=".length));
      return { type: "object", render: (value) => template(value) };
    } catch (error) {
      if (error instanceof StatusError) throw new CliError(`-o jsonpath: ${error.message}`, { cause: error });
      throw error;
    }
  }
  throw new CliError(`-o "${text}" is not known; it is one of ${formats}`);
}

function withoutManagedFields(value: Printable): Printable {
  if (value.items !== undefined) return { ...value, items: value.items.map(withoutManagedFields) };
  const { managedFields: _fields, ...metadata } = value.metadata as Printable["metadata"] & { readonly managedFields?: unknown };
  return { ...value, metadata };
}

function nameOf({ kind, metadata }: Printable): string {
  return `${resourceName(kind as KindName)}/${metadata.name ?? ""}`;
}

export function listOf(items: readonly unknown[]): Printable {
  return { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items } as unknown as Printable;
}
