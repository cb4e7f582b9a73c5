import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { swaggerMethods, type Swagger, type SwaggerMethod, type SwaggerOperation, type SwaggerParameter, type SwaggerPath, type SwaggerSchema } from "./openapi-v2.ts";

// Numbers of the fields: OpenAPIv2.proto of github.com/google/gnostic, package openapi.v2. They are for ever.

/** The document as `openapi.v2.Document`: the only form in which kubectl up to 1.23 reads it. */
export function encodeSwagger({ swagger, info, paths, definitions }: Swagger): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  text(writer, 1, swagger);
  message(writer, 2, () => {
    text(writer, 1, info.title);
    text(writer, 2, info.version);
  });
  message(writer, 8, () => named(writer, 2, paths, (item) => writePath(writer, item)));
  message(writer, 9, () => named(writer, 1, definitions, (schema) => writeSchema(writer, schema)));
  return writer.finish();
}

function text(writer: BinaryWriter, field: number, value: string | undefined): void {
  if (value !== undefined && value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

/** A map, as a list of `{ name = 1, value = 2 }`. */
function named<T>(writer: BinaryWriter, field: number, entries: Readonly<Record<string, T>>, write: (value: T) => void): void {
  for (const [name, value] of Object.entries(entries)) {
    message(writer, field, () => {
      text(writer, 1, name);
      message(writer, 2, () => write(value));
    });
  }
}

/** What Kubernetes adds: NamedAny, whose Any is YAML, of which JSON is a part. */
function extensions(writer: BinaryWriter, field: number, of: object): void {
  named(writer, field, Object.fromEntries(Object.entries(of).filter(([key]) => key.startsWith("x-"))), (value) => text(writer, 2, JSON.stringify(value)));
}

const methodFields: Readonly<Record<SwaggerMethod, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function writePath(writer: BinaryWriter, item: SwaggerPath): void {
  for (const method of swaggerMethods) {
    const operation = item[method];
    if (operation !== undefined) message(writer, methodFields[method], () => writeOperation(writer, operation));
  }
  for (const parameter of item.parameters ?? []) message(writer, 9, () => writeParameter(writer, parameter));
}

function writeOperation(writer: BinaryWriter, operation: SwaggerOperation): void {
  text(writer, 3, operation.description);
  text(writer, 5, operation.operationId);
  for (const type of operation.produces) text(writer, 6, type);
  for (const type of operation.consumes) text(writer, 7, type);
  for (const parameter of operation.parameters) message(writer, 8, () => writeParameter(writer, parameter));
  message(writer, 9, () =>
    named(writer, 1, operation.responses, ({ description, schema }) =>
      message(writer, 1, () => {
        text(writer, 1, description);
        if (schema !== undefined) message(writer, 2, () => message(writer, 1, () => writeSchema(writer, schema)));
      }),
    ),
  );
  extensions(writer, 13, operation);
}

/** ParametersItem > Parameter > BodyParameter, or NonBodyParameter > Query- or PathParameterSubSchema. */
function writeParameter(writer: BinaryWriter, parameter: SwaggerParameter): void {
  const required = (field: number) => {
    if (parameter.required === true) writer.tag(field, WireType.Varint).bool(true);
  };
  message(writer, 1, () => {
    if (parameter.in === "body") {
      return message(writer, 1, () => {
        text(writer, 2, parameter.name);
        text(writer, 3, parameter.in);
        required(4);
        message(writer, 5, () => writeSchema(writer, parameter.schema));
      });
    }
    const isQuery = parameter.in === "query";
    message(writer, 2, () =>
      message(writer, isQuery ? 3 : 4, () => {
        required(1);
        text(writer, 2, parameter.in);
        text(writer, 3, parameter.description);
        text(writer, 4, parameter.name);
        // A query's schema has allow_empty_value at 5, a path's has not.
        text(writer, isQuery ? 6 : 5, parameter.type);
      }),
    );
  });
}

function writeSchema(writer: BinaryWriter, schema: SwaggerSchema): void {
  const { $ref, format, description, required = [], additionalProperties, type, items, properties } = schema;
  text(writer, 1, $ref);
  text(writer, 2, format);
  text(writer, 4, description);
  for (const name of required) text(writer, 19, name);
  if (additionalProperties !== undefined) message(writer, 21, () => message(writer, 1, () => writeSchema(writer, additionalProperties)));
  if (type !== undefined) message(writer, 22, () => text(writer, 1, type));
  if (items !== undefined) message(writer, 23, () => message(writer, 1, () => writeSchema(writer, items)));
  if (properties !== undefined) message(writer, 25, () => named(writer, 1, properties, (each) => writeSchema(writer, each)));
  extensions(writer, 31, schema);
}
