import { stringify } from "yaml";
import type { Clock } from "../base/clock.ts";
import { apiVersionOf, isBuiltin, type KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import type { Table } from "../api/table.ts";
import type { ListResult, Store } from "../store/store.ts";
import { negotiate, partialListOffer, partialOffer, tableOffer, type Representation } from "./accept.ts";
import { jsonListBody, yamlListBody } from "./list-body.ts";
import { readList } from "./list-options.ts";
import { encodeKubernetesProtobuf, protobufType } from "./protobuf/kubernetes-protobuf.ts";
import type { Query } from "./query.ts";
import { jsonResponse } from "./status-response.ts";
import { createTable, includeObjectOf, partialObject, type TableOptions } from "./table.ts";

/** A list of objects, as JSON, YAML, Table or PartialObjectMetadataList. */
export async function listResponse({ store, clock }: { readonly store: Store; readonly clock: Clock }, kindName: KindName, namespace: string | undefined, query: Query, accept: string | null): Promise<Response> {
  const representation = listRepresentation(accept);
  return writeList(clock, kindName, await readList(store, kindName, namespace, query), query, representation);
}

/** How a client wants a list written. @throws StatusError NotAcceptable */
export function listRepresentation(accept: string | null): Representation {
  return negotiate(accept, [tableOffer, partialListOffer]);
}

export function writeList(clock: Clock, kindName: KindName, result: ListResult<StoredObject>, query: Query, representation: Representation): Response {
  const metadata = {
    resourceVersion: result.resourceVersion,
    ...(result.continue === undefined ? {} : { continue: result.continue }),
    ...(result.remainingItemCount === undefined ? {} : { remainingItemCount: result.remainingItemCount }),
  };
  switch (representation.as) {
    case "Table":
      return tableResponse(kindName, result.items, metadata, { clock, include: includeObjectOf(query), version: representation.version }, representation);
    case "PartialObjectMetadataList":
      return streamList({ kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${representation.version ?? "v1"}`, metadata }, "items", result.items, (item) => partialObject(item, representation.version), representation);
    default:
      return streamList({ kind: `${kindName}List`, apiVersion: apiVersionOf(kinds[kindName] as KindDefinition<never>), metadata }, "items", result.items, (item) => item, representation);
  }
}

/** One object, as JSON, YAML, Table or PartialObjectMetadata. */
export function objectResponse(clock: Clock, kindName: KindName, object: StoredObject, query: Query, accept: string | null, code = 200): Response {
  const representation = negotiate(accept, [tableOffer, partialOffer], isBuiltin(kinds[kindName]) ? "protobuf" : "text");
  switch (representation.as) {
    case "Table":
      return write(createTable(kindName, [object], { resourceVersion: object.metadata.resourceVersion }, { clock, include: includeObjectOf(query), version: representation.version }), representation, code);
    case "PartialObjectMetadata":
      return write(partialObject(object, representation.version), representation, code);
    default:
      return write(object, representation, code);
  }
}

function tableResponse(kindName: KindName, items: readonly StoredObject[], metadata: Table["metadata"], { clock, ...rest }: TableOptions, representation: Representation): Response {
  // Ages are as of the list, however slowly it is read.
  const now = clock.now();
  const options = { ...rest, clock: { now: () => now } };
  const { rows: _, ...head } = createTable(kindName, [], metadata, options);
  return streamList(head, "rows", items, (item) => createTable(kindName, [item], metadata, options).rows[0]!, representation);
}

function streamList<T>(head: object, itemsKey: string, items: readonly T[], of: (item: T) => object, { type }: Representation): Response {
  // What cannot be protobuf is JSON.
  const written = type === "yaml" ? "yaml" : "json";
  const body = (written === "json" ? jsonListBody : yamlListBody)(head, itemsKey, items, of);
  return new Response(body, { headers: { "content-type": `application/${written}` } });
}

/** A value as it is, in the form that was negotiated. What cannot be protobuf is JSON: clients read the answer's own Content-Type. */
export function write(value: object, { type }: Representation, code = 200): Response {
  const bytes = type === "protobuf" ? encodeKubernetesProtobuf(value as StoredObject) : undefined;
  if (bytes !== undefined) return new Response(bytes, { status: code, headers: { "content-type": protobufType } });
  if (type !== "yaml") return jsonResponse(value, code);
  return new Response(stringify(value, { aliasDuplicateObjects: false }), { status: code, headers: { "content-type": "application/yaml" } });
}
