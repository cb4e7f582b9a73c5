/** A schema in OpenAPI v3.0's dialect of JSON schema, as far as ours go. Source: spec.openapis.org, Schema Object. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema;
  readonly allOf?: readonly OpenApiSchema[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly $ref?: string;
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}

/** The schema with `change` made to it and to every schema inside it, from the inside out. */
export function mapSchema(schema: OpenApiSchema, change: (schema: OpenApiSchema) => OpenApiSchema): OpenApiSchema {
  const { properties, items, additionalProperties } = schema;
  return change({
    ...schema,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, mapSchema(each, change)])) }),
    ...(items === undefined ? {} : { items: mapSchema(items, change) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: mapSchema(additionalProperties, change) }),
  });
}

/** The schema with each plain default also said in words, for readers that show descriptions only (`kubectl explain`). */
export function withDefaultsTold(schema: OpenApiSchema): OpenApiSchema {
  return mapSchema(schema, (each) => {
    const { default: value, description } = each;
    if (value === undefined || value === "" || typeof value === "object") return each;
    const told = `Default: ${String(value)}.`;
    return { ...each, description: description === undefined ? told : `${description} ${told}` };
  });
}
