import type { Context, Hono } from "hono";
import type { NamespacedName } from "../base/keys.ts";
import { isBuiltin, type KindDefinition } from "../api/kind.ts";
import type { StoredObject } from "../api/meta.ts";
import { groupPath } from "../api/paths.ts";
import { kindNames, kinds, type KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";
import { verbsOf } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { applyPatchType, jsonTypes, mediaTypeOf, readBody, yamlTypes } from "./body.ts";
import { deleteCollection } from "./delete-collection.ts";
import { deleteWish } from "./delete-options.ts";
import { readObject } from "./list-options.ts";
import { listResponse, objectResponse } from "./list.ts";
import { protobufType } from "./protobuf/kubernetes-protobuf.ts";
import { Query } from "./query.ts";
import { createSourceRemarks } from "./source-remarks.ts";
import { addWarnings, jsonResponse, methodNotAllowed } from "./status-response.ts";
import { watchResponse, type WatchParts } from "./watch.ts";
import { checkedFields, deletedStatus, fieldValidationOf, managerOf, objectAt, patcherOf, patchOf, patchTypesOf, strictly } from "./write.ts";

type Ctx = Context<AppEnv>;

const textTypes = [...jsonTypes, ...yamlTypes];
/** For Kubernetes' own kinds, and for DeleteOptions, whatever they are for. */
const builtinTypes = [...textTypes, protobufType];

/** Routes of every kind in the registry: collections, objects, and their status. */
export function addResources(app: Hono<AppEnv>, parts: WatchParts): void {
  for (const kindName of kindNames) {
    const kind = kinds[kindName] as KindDefinition<never>;
    const root = groupPath(kind);
    const room = kind.scope === "Namespaced" ? "/namespaces/:namespace" : "";
    const handlers = createHandlers(parts, kindName);
    const route = (path: string, methods: Readonly<Record<string, (c: Ctx) => Promise<Response>>>) => {
      for (const [method, handler] of Object.entries(methods)) if (kind.view === undefined || method === "GET" || method === "DELETE") app.on(method, path, handler);
      app.all(path, () => {
        throw methodNotAllowed(kind.view?.insteadOfWriting);
      });
    };
    if (room !== "") route(`${root}/${kind.plural}`, { GET: handlers.list, POST: handlers.create });
    const removable = verbsOf(kind).includes("deletecollection") ? { DELETE: handlers.deleteCollection } : {};
    route(`${root}${room}/${kind.plural}`, { GET: handlers.list, POST: handlers.create, ...removable });
    route(`${root}${room}/${kind.plural}/:name`, { GET: handlers.get, PUT: handlers.update, PATCH: handlers.patch, DELETE: handlers.delete });
    if (kind.statusSchema !== undefined && kind.view === undefined) route(`${root}${room}/${kind.plural}/:name/status`, { GET: handlers.get, PUT: handlers.updateStatus, PATCH: handlers.patchStatus });
  }
}

function createHandlers(parts: WatchParts, kindName: KindName) {
  const { store, clock } = parts;
  const place = (c: Ctx): { readonly namespace: string | undefined; readonly name: string | undefined } => ({ namespace: c.req.param("namespace"), name: c.req.param("name") });
  const refOf = (c: Ctx): NamespacedName => ({ namespace: c.req.param("namespace"), name: c.req.param("name")! });
  const remarks = createSourceRemarks(store);
  const answer = (c: Ctx, object: StoredObject, query: Query, code = 200) => objectResponse(clock, kindName, object, query, accept(c), code);

  const write = async (c: Ctx, how: "create" | "update" | "updateStatus"): Promise<Response> => {
    const query = new Query(c.req.url);
    const validation = fieldValidationOf(query);
    const fieldManager = managerOf(query, c.req.header("user-agent"), how === "create" ? "CreateOptions" : "UpdateOptions");
    const options = { dryRun: query.dryRun(), fieldManager };
    const object = objectAt(kindName, await readBody(c.req.raw, isBuiltin(kinds[kindName]) ? builtinTypes : textTypes), place(c));
    const { value, warnings } = checkedFields(kindName, object, validation);
    const before = how === "update" ? await remarks.before(kindName, refOf(c)) : undefined;
    // The store checks the object from the ground up: its type here is a wish.
    const stored: StoredObject = await strictly(kindName, validation, () => store[how](kindName, value as never, options));
    return addWarnings(answer(c, stored, query, how === "create" ? 201 : 200), [...warnings, ...(await remarks.updated(before, stored))]);
  };

  const patch = async (c: Ctx, subresource?: "status"): Promise<Response> => {
    const query = new Query(c.req.url);
    const validation = fieldValidationOf(query);
    const type = mediaTypeOf(c.req.raw);
    const patchTypes = patchTypesOf(kinds[kindName]);
    if (!patchTypes.includes(type)) throw new StatusError("UnsupportedMediaType", `the body of the request was in an unknown format: ${JSON.stringify(type.slice(0, 100))}; accepted media types: ${patchTypes.join(", ")}`);
    const { fieldManager, force } = patcherOf(query, c.req.header("user-agent"), type === applyPatchType);
    let code = 200;
    const created = () => {
      code = 201;
    };
    const options = { dryRun: query.dryRun(), subresource, fieldManager, created };
    const { patch, warnings } = patchOf(kindName, type, await readBody(c.req.raw, patchTypes), validation, force);
    const before = subresource === undefined ? await remarks.before(kindName, refOf(c)) : undefined;
    const stored: StoredObject = await strictly(kindName, validation, () => store.patch(kindName, refOf(c), patch, options));
    return addWarnings(answer(c, stored, query, code), [...warnings, ...(await remarks.updated(before, stored))]);
  };

  return {
    async list(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      if (!query.flag("watch")) return await listResponse(parts, kindName, c.req.param("namespace"), query, accept(c));
      return await watchResponse(parts, kindName, c.req.param("namespace"), query, accept(c), [c.req.raw.signal, c.env.signal]);
    },
    async get(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      return answer(c, await readObject(store, kindName, refOf(c), query), query);
    },
    create: (c: Ctx) => write(c, "create"),
    update: (c: Ctx) => write(c, "update"),
    updateStatus: (c: Ctx) => write(c, "updateStatus"),
    patch: (c: Ctx) => patch(c),
    patchStatus: (c: Ctx) => patch(c, "status"),
    async delete(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      const wish = deleteWish(await readBody(c.req.raw, builtinTypes), query);
      const object: StoredObject = await store.delete(kindName, refOf(c), wish.preconditions, wish);
      // RFC 7240: our own client wants the object as it last was; Kubernetes' expect a Status once it is gone.
      const held = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.length ?? 0) > 0;
      const told = await remarks.deleted(object);
      if (held) return addWarnings(answer(c, object, query, wish.cascading ? 202 : 200), told);
      return addWarnings((c.req.header("prefer") ?? "").includes("return=representation") ? answer(c, object, query) : jsonResponse(deletedStatus(kindName, object.metadata)), told);
    },
    async deleteCollection(c: Ctx): Promise<Response> {
      const query = new Query(c.req.url);
      return await deleteCollection(parts, kindName, c.req.param("namespace"), query, deleteWish(await readBody(c.req.raw, builtinTypes), query), accept(c));
    },
  };
}

function accept(c: Ctx): string | null {
  return c.req.header("accept") ?? null;
}
