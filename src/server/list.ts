import { stringify } from "yaml";
import type { Clock } from "../base/clock.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { kinds, type KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { Table } from "../api/table.ts";
import type { ListResult, Store } from "../store/store.ts";
import { negotiate, partialListOffer, partialOffer, tableOffer, type Representation } from "./accept.ts";
import { jsonListBody, yamlListBody } from "./list-body.ts";
import type { Query } from "./query.ts";
import { jsonResponse } from "./status-response.ts";
import { createTable, includeObjectOf, partialObject, type TableOptions } from "./table.ts";

/** A list of objects, as JSON, YAML, Table or PartialObjectMetadataList. */
export async function listResponse({ store, clock }: { readonly store: Store; readonly clock: Clock }, kindName: KindName, namespace: string | undefined, query: Query, accept: string | null): Promise<Response> {
  const kind = kinds[kindName] as KindDefinition<never>;
  const representation = negotiate(accept, [tableOffer, partialListOffer]);
  const match = query.oneOf("resourceVersionMatch", ["Exact", "NotOlderThan"] as const);
  const wanted = query.resourceVersion();
  const limit = query.count("limit");
  const result: ListResult<StoredObject> = await store.list(kindName, { ...query.selection(kind, namespace), limit: limit === 0 ? undefined : limit, continue: query.text("continue") });
  // Every list is of the newest state, which satisfies all other wishes.
  if (match === "Exact" && wanted !== result.resourceVersion) throw new StatusError("Expired", `The provided resource version ${wanted ?? ""} is not kept: the current one is ${result.resourceVersion}`);

  const metadata = {
    resourceVersion: result.resourceVersion,
    ...(result.continue === undefined ? {} : { continue: result.continue }),
    ...(result.remainingItemCount === undefined ? {} : { remainingItemCount: result.remainingItemCount }),
  };
  switch (representation.as) {
    case "Table":
      return tableResponse(kindName, result.items, metadata, { clock, include: includeObjectOf(query), version: representation.version }, representation);
    case "PartialObjectMetadataList":
      return writeList({ kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${representation.version ?? "v1"}`, metadata }, "items", result.items, (item) => partialObject(item, representation.version), representation);
    default:
      return writeList({ kind: `${kindName}List`, apiVersion: apiVersionOf(kind), metadata }, "items", result.items, (item) => item, representation);
  }
}

/** One object, as JSON, YAML, Table or PartialObjectMetadata. */
export function objectResponse(clock: Clock, kindName: KindName, object: StoredObject, query: Query, accept: string | null, code = 200): Response {
  const representation = negotiate(accept, [tableOffer, partialOffer]);
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
  return writeList(head, "rows", items, (item) => createTable(kindName, [item], metadata, options).rows[0]!, representation);
}

function writeList<T>(head: object, itemsKey: string, items: readonly T[], of: (item: T) => object, { type }: Representation): Response {
  const body = (type === "json" ? jsonListBody : yamlListBody)(head, itemsKey, items, of);
  return new Response(body, { headers: { "content-type": `application/${type}` } });
}

function write(value: object, { type }: Representation, code = 200): Response {
  if (type === "json") return jsonResponse(value, code);
  return new Response(stringify(value, { aliasDuplicateObjects: false }), { status: code, headers: { "content-type": "application/yaml" } });
}
