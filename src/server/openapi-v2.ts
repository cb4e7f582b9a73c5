import type { OpenApiSchema } from "../api/openapi-schema.ts";
import type { OpenApiDocument } from "./openapi-document.ts";

/** The part of a Swagger 2.0 document that old clients read. Source: OpenAPI Specification 2.0. */
export interface Swagger {
  readonly swagger: "2.0";
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, SwaggerPath>>;
  readonly definitions: Readonly<Record<string, SwaggerSchema>>;
}

export type SwaggerPath = Readonly<Partial<Record<SwaggerMethod, SwaggerOperation>>> & { readonly parameters?: readonly SwaggerParameter[] };
export type SwaggerMethod = (typeof swaggerMethods)[number];
export const swaggerMethods = ["get", "put", "post", "delete", "patch"] as const;

export interface SwaggerOperation {
  readonly description: string;
  readonly operationId: string;
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  readonly parameters: readonly SwaggerParameter[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: SwaggerSchema }>>;
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}

export type SwaggerParameter =
  | { readonly in: "query" | "path"; readonly name: string; readonly description: string; readonly type: string; readonly required?: boolean }
  | { readonly in: "body"; readonly name: "body"; readonly required?: boolean; readonly schema: SwaggerSchema };

export interface SwaggerSchema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SwaggerSchema>>;
  readonly items?: SwaggerSchema;
  readonly additionalProperties?: SwaggerSchema;
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}

/** All documents as one of the older version: what it has no words for (unions, bounds, null) is left out. */
export function createSwagger(documents: readonly OpenApiDocument[]): Swagger {
  const definitions = documents.flatMap(({ components }) => Object.entries(components.schemas)).map(([name, schema]) => [name, swaggerSchema(schema)] as const);
  const paths = documents.flatMap((document) => Object.entries(document.paths)).map(([path, item]) => [path, swaggerPath(item as OpenApiPath)] as const);
  return {
    swagger: "2.0",
    info: documents[0]?.info ?? { title: "", version: "" },
    paths: Object.fromEntries(paths),
    definitions: Object.fromEntries(definitions.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

interface OpenApiParameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly description: string;
  readonly required?: boolean;
  readonly schema: OpenApiSchema;
}
type Content = Readonly<Record<string, { readonly schema: OpenApiSchema }>>;
interface OpenApiOperation {
  readonly description: string;
  readonly operationId: string;
  readonly parameters?: readonly OpenApiParameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}
type OpenApiPath = Readonly<Partial<Record<SwaggerMethod, OpenApiOperation>>> & { readonly parameters?: readonly OpenApiParameter[] };

function swaggerPath(item: OpenApiPath): SwaggerPath {
  const operations = swaggerMethods.flatMap((method) => (item[method] === undefined ? [] : [[method, swaggerOperation(item[method])] as const]));
  return { ...Object.fromEntries(operations), ...(item.parameters === undefined ? {} : { parameters: item.parameters.map(swaggerParameter) }) };
}

function swaggerOperation({ description, operationId, parameters = [], requestBody, responses, ...rest }: OpenApiOperation): SwaggerOperation {
  const body = requestBody === undefined ? [] : [{ in: "body", name: "body", ...(requestBody.required === true ? { required: true } : {}), schema: schemaOf(requestBody.content)! } as const];
  const produced = Object.values(responses).flatMap(({ content }) => Object.keys(content ?? {}));
  return {
    description,
    operationId,
    consumes: Object.keys(requestBody?.content ?? { "*/*": undefined }),
    produces: [...new Set(produced)],
    parameters: [...body, ...parameters.map(swaggerParameter)],
    responses: Object.fromEntries(
      Object.entries(responses).map(([code, response]) => {
        const schema = schemaOf(response.content);
        return [code, { description: response.description, ...(schema === undefined ? {} : { schema }) }];
      }),
    ),
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => key.startsWith("x-kubernetes-"))),
  };
}

function swaggerParameter({ name, in: place, description, required, schema }: OpenApiParameter): SwaggerParameter {
  return { name, in: place, description, type: schema.type ?? "string", ...(required === true ? { required } : {}) };
}

function schemaOf(content: Content | undefined): SwaggerSchema | undefined {
  const [first] = Object.values(content ?? {});
  return first === undefined ? undefined : swaggerSchema(first.schema);
}

function swaggerSchema({ $ref, allOf, description, type, format, required, properties, items, additionalProperties, ...rest }: OpenApiSchema): SwaggerSchema {
  // Here a reference has its own words beside it; there they stand around it.
  const target = $ref ?? (allOf?.length === 1 ? allOf[0]!.$ref : undefined);
  return {
    ...(target === undefined ? {} : { $ref: target.replace("#/components/schemas/", "#/definitions/") }),
    ...(description === undefined ? {} : { description }),
    ...(type === undefined ? {} : { type }),
    ...(format === undefined ? {} : { format }),
    ...(required === undefined ? {} : { required }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, swaggerSchema(each)])) }),
    ...(items === undefined ? {} : { items: swaggerSchema(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: swaggerSchema(additionalProperties) }),
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => key.startsWith("x-kubernetes-"))),
  };
}
