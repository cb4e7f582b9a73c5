import type { Context, Hono } from "hono";
import type { NamespacedName } from "../base/keys.ts";
import type { KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { groupPath } from "../api/paths.ts";
import { kindNames, kinds, type KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonTypes, mediaTypeOf, readBody, yamlTypes } from "./body.ts";
import { listResponse, objectResponse } from "./list.ts";
import { Query } from "./query.ts";
import { addWarnings, jsonResponse, methodNotAllowed } from "./status-response.ts";
import { watchResponse, type WatchParts } from "./watch.ts";
import { checkedFields, deletedStatus, deleteWish, fieldValidationOf, objectAt, patchOf, patchTypes, strictly } from "./write.ts";

type Ctx = Context<AppEnv>;

const objectTypes = [...jsonTypes, ...yamlTypes];

/** Routes of every kind in the registry: collections, objects, and their status. */
export function addResources(app: Hono<AppEnv>, parts: WatchParts): void {
  for (const kindName of kindNames) {
    const kind = kinds[kindName] as KindDefinition<never>;
    const root = groupPath(kind);
    const room = kind.scope === "Namespaced" ? "/namespaces/:namespace" : "";
    const handlers = createHandlers(parts, kindName);
    const route = (path: string, methods: Readonly<Record<string, (c: Ctx) => Promise<Response>>>) => {
      for (const [method, handler] of Object.entries(methods)) if (kind.view === undefined || method === "GET" || method === "DELETE") app.on(method, path, handler);
      app.all(path, (c) => {
        throw methodNotAllowed(c.req.method, kind.view?.insteadOfWriting);
      });
    };
    if (room !== "") route(`${root}/${kind.plural}`, { GET: handlers.list, POST: handlers.create });
    route(`${root}${room}/${kind.plural}`, { GET: handlers.list, POST: handlers.create });
    route(`${root}${room}/${kind.plural}/:name`, { GET: handlers.get, PUT: handlers.update, PATCH: handlers.patch, DELETE: handlers.delete });
    if (kind.statusSchema !== undefined && kind.view === undefined) route(`${root}${room}/${kind.plural}/:name/status`, { GET: handlers.get, PUT: handlers.updateStatus, PATCH: handlers.patchStatus });
  }
}

function createHandlers(parts: WatchParts, kindName: KindName) {
  const { store, clock } = parts;
  const place = (c: Ctx): { readonly namespace: string | undefined; readonly name: string | undefined } => ({ namespace: c.req.param("namespace"), name: c.req.param("name") });
  const refOf = (c: Ctx): NamespacedName => ({ namespace: c.req.param("namespace"), name: c.req.param("name")! });
  const answer = (c: Ctx, object: StoredObject, query: Query, code = 200) => objectResponse(clock, kindName, object, query, accept(c), code);

  const write = async (c: Ctx, how: "create" | "update" | "updateStatus"): Promise<Response> => {
    const query = new Query(c.req.url);
    const validation = fieldValidationOf(query);
    const options = { dryRun: query.dryRun() };
    const object = objectAt(kindName, await readBody(c.req.raw, objectTypes), place(c));
    const { value, warnings } = checkedFields(kindName, object, validation);
    // The store checks the object from the ground up: its type here is a wish.
    const stored: StoredObject = await strictly(kindName, validation, () => store[how](kindName, value as never, options));
    return addWarnings(answer(c, stored, query, how === "create" ? 201 : 200), warnings);
  };

  const patch = async (c: Ctx, subresource?: "status"): Promise<Response> => {
    const query = new Query(c.req.url);
    const validation = fieldValidationOf(query);
    const options = { dryRun: query.dryRun(), subresource };
    const type = mediaTypeOf(c.req.raw);
    if (!patchTypes.includes(type)) throw new StatusError("UnsupportedMediaType", `the body of the request was in an unknown format: ${JSON.stringify(type.slice(0, 100))}; accepted media types: ${patchTypes.join(", ")}`);
    const { patch, warnings } = patchOf(kindName, type, await readBody(c.req.raw, patchTypes), validation);
    const stored: StoredObject = await strictly(kindName, validation, () => store.patch(kindName, refOf(c), patch, options));
    return addWarnings(answer(c, stored, query), warnings);
  };

  return {
    async list(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      if (!query.flag("watch")) return await listResponse(parts, kindName, c.req.param("namespace"), query, accept(c));
      return await watchResponse(parts, kindName, c.req.param("namespace"), query, accept(c), [c.req.raw.signal, c.env.signal]);
    },
    async get(c: Ctx): Promise<Response> {
      return answer(c, await store.get(kindName, refOf(c)), new Query(c.req.url));
    },
    create: (c: Ctx) => write(c, "create"),
    update: (c: Ctx) => write(c, "update"),
    updateStatus: (c: Ctx) => write(c, "updateStatus"),
    patch: (c: Ctx) => patch(c),
    patchStatus: (c: Ctx) => patch(c, "status"),
    async delete(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      const wish = deleteWish(await readBody(c.req.raw, objectTypes), query);
      const object: StoredObject = await store.delete(kindName, refOf(c), wish.preconditions, { dryRun: wish.dryRun });
      // RFC 7240: our own client wants the object as it last was; Kubernetes' expect a Status once it is gone.
      const whole = object.metadata.deletionTimestamp !== undefined || (c.req.header("prefer") ?? "").includes("return=representation");
      return addWarnings(whole ? answer(c, object, query) : jsonResponse(deletedStatus(kindName, object.metadata)), wish.warnings);
    },
  };
}

function accept(c: Ctx): string | null {
  return c.req.header("accept") ?? null;
}
