import type { OpenApiSchema } from "../api/openapi-schema.ts";
import type { ApiResource, ResponseKind, Verb } from "./api-resource.ts";
import { jsonTypes, yamlTypes } from "./body.ts";
import { metaNames } from "./openapi-meta.ts";
import { patchTypesOf } from "./write.ts";

/** How a group's paths and components are named. */
export interface OpenApiNames {
  readonly pathOf: (of: { readonly group: string; readonly version: string }) => string;
  readonly componentName: (of: ResponseKind) => string;
}

type Json = Readonly<Record<string, unknown>>;

const answerTypes = [...jsonTypes, yamlTypes[0]!];

const parameter = (name: string, type: "string" | "boolean" | "integer", description: string): Json => ({ name, in: "query", description, schema: { type, uniqueItems: true } });
const inPath = (name: string, description: string): Json => ({ name, in: "path", required: true, description, schema: { type: "string", uniqueItems: true } });

const namespaceParameter = inPath("namespace", "Namespace the object lives in.");
const nameParameter = (kind: string) => inPath("name", `Name of the ${kind}.`);

const selecting = [
  parameter("labelSelector", "string", "Only objects with such labels: app=web,tier in (a,b),!legacy."),
  parameter("fieldSelector", "string", "Only objects with such fields: metadata.name=x,status.phase!=Running."),
];
const versioned = [
  parameter("resourceVersion", "string", "Version to read at, or to watch from. Source: Kubernetes API concepts, Resource versions."),
  parameter("resourceVersionMatch", "string", "How resourceVersion is meant for a list: NotOlderThan or Exact."),
  parameter("timeoutSeconds", "integer", "Seconds after which a watch ends."),
];
const listing = [
  ...selecting,
  ...versioned,
  parameter("limit", "integer", "Most items of one page."),
  parameter("continue", "string", "metadata.continue of the page before."),
  parameter("watch", "boolean", "Answer with a stream of changes."),
  parameter("allowWatchBookmarks", "boolean", "Let a watch have BOOKMARK events, which say how far it has come."),
  parameter("sendInitialEvents", "boolean", "Let a watch begin with the objects there are."),
];
const writing = [
  parameter("dryRun", "string", "All: do everything but store."),
  parameter("fieldManager", "string", "Name of who writes."),
  parameter("fieldValidation", "string", "What to do about fields the kind does not know: Strict, Warn or Ignore."),
];
const forcing = parameter("force", "boolean", "Take fields over that others manage; of an apply patch only.");
const deleting = [
  parameter("dryRun", "string", "All: do everything but delete."),
  parameter("gracePeriodSeconds", "integer", "Seconds the object may take to end by itself."),
  parameter("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
  parameter("propagationPolicy", "string", "What happens to objects that belong to this one: Orphan, Background or Foreground."),
];

/** Where a verb lives, and how it is told of. */
interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly at: "collection" | "object";
  /** `x-kubernetes-action`. */
  readonly action: string;
  readonly words: string;
  readonly parameters: readonly Json[];
}

/** `watch` is no path of its own: it is a parameter of `list`. */
const operations: { readonly [V in Exclude<Verb, "watch">]: Operation } = {
  list: { method: "get", at: "collection", action: "list", words: "list or watch objects of kind", parameters: listing },
  create: { method: "post", at: "collection", action: "post", words: "create a", parameters: writing },
  deletecollection: { method: "delete", at: "collection", action: "deletecollection", words: "delete collection of", parameters: [...listing.slice(0, 7), ...deleting] },
  get: { method: "get", at: "object", action: "get", words: "read the specified", parameters: [] },
  update: { method: "put", at: "object", action: "put", words: "replace the specified", parameters: writing },
  patch: { method: "patch", at: "object", action: "patch", words: "partially update the specified", parameters: [...writing, forcing] },
  delete: { method: "delete", at: "object", action: "delete", words: "delete a", parameters: deleting },
};

/** The `paths` of the document of one group and version. */
export function openApiPaths(resources: readonly ApiResource[], names: OpenApiNames): Readonly<Record<string, object>> {
  const paths: Record<string, object> = {};
  const [first] = resources;
  if (first === undefined) return paths;
  const root = names.pathOf(first);
  paths[`${root}/`] = { get: { tags: [tagOf(first)], description: "get available resources", operationId: `get${operationWord(first)}APIResources`, responses: answers(answerTypes, ref(metaNames.apiResourceList)) } };
  for (const resource of resources) {
    const namespaced = resource.scope === "Namespaced";
    const collection = `${root}${namespaced ? "/namespaces/{namespace}" : ""}/${resource.plural}`;
    const rooms = namespaced ? [namespaceParameter] : [];
    const add = (path: string, at: Operation["at"], parameters: readonly Json[]) => {
      const item = Object.fromEntries([...resource.verbs, ...(resource.refusedVerbs ?? [])].flatMap((verb) => (verb === "watch" || operations[verb].at !== at ? [] : [[operations[verb].method, operationOf(resource, verb, scopeWordOf(resource), names)]])));
      if (Object.keys(item).length > 0) paths[path] = { ...item, ...(parameters.length === 0 ? {} : { parameters }) };
    };
    add(collection, "collection", rooms);
    add(`${collection}/{name}`, "object", [nameParameter(resource.kind), ...rooms]);
    for (const each of resource.subresources) {
      const methods = each.verbs.flatMap((verb): (readonly [string, object])[] => (verb === "watch" ? [] : [[operations[verb].method, subresourceOperation(resource, each, verb, names)]]));
      paths[`${collection}/{name}/${each.name}`] = { ...Object.fromEntries(methods), parameters: [nameParameter(resource.kind), ...rooms] };
    }
    if (namespaced && resource.verbs.includes("list")) paths[`${root}/${resource.plural}`] = { get: { ...operationOf(resource, "list", "", names), operationId: `list${operationWord(resource)}${resource.kind}ForAllNamespaces` } };
  }
  return paths;
}

function operationOf(resource: ApiResource, verb: Exclude<Verb, "watch">, scopeWord: string, { componentName }: OpenApiNames): object {
  const { action, words, parameters } = operations[verb];
  const own = ref(componentName(resource));
  const types = verb === "list" && resource.verbs.includes("watch") ? [...answerTypes, "application/json;stream=watch"] : answerTypes;
  const answer = verb === "list" ? ref(`${componentName(resource)}List`) : verb === "delete" || verb === "deletecollection" ? ref(metaNames.status) : own;
  return {
    tags: [tagOf(resource)],
    description: `${words} ${resource.kind}`,
    operationId: `${idVerbs[verb]}${operationWord(resource)}${verb === "deletecollection" ? "Collection" : ""}${scopeWord}${resource.kind}`,
    parameters,
    ...bodyOf(verb, own, resource),
    responses: answers(types, answer, verb === "create" ? ["200", "201", "202"] : verb === "update" || verb === "patch" ? ["200", "201"] : verb === "delete" ? ["200", "202"] : ["200"]),
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group: resource.group, version: resource.version, kind: resource.kind },
  };
}

/** A path below an object: its status is the object; a log, a stream and the like are told of as text. */
function subresourceOperation(resource: ApiResource, { name, responseKind }: ApiResource["subresources"][number], verb: Exclude<Verb, "watch">, { componentName }: OpenApiNames): object {
  const { action, words, parameters } = operations[verb];
  const isObject = name === "status";
  const own: OpenApiSchema = isObject ? ref(componentName(responseKind)) : { type: "string" };
  return {
    tags: [tagOf(resource)],
    description: `${words} ${resource.kind}'s ${name}`,
    operationId: `${isObject || name === "log" ? idVerbs[verb] : `connect${capital(action)}`}${operationWord(resource)}${scopeWordOf(resource)}${resource.kind}${capital(name)}`,
    ...(isObject ? { parameters, ...bodyOf(verb, own, resource) } : {}),
    responses: answers(isObject ? answerTypes : ["text/plain"], own, verb === "update" || verb === "patch" ? ["200", "201"] : ["200"]),
    "x-kubernetes-action": isObject || name === "log" ? action : "connect",
    "x-kubernetes-group-version-kind": { group: responseKind.group, version: responseKind.version, kind: responseKind.kind },
  };
}

function bodyOf(verb: Verb, own: OpenApiSchema, resource: ApiResource): object {
  const body = (types: readonly string[], schema: OpenApiSchema, required: boolean) => ({ requestBody: { ...(required ? { required } : {}), content: content(types, schema) } });
  switch (verb) {
    case "create":
    case "update":
      return body([...jsonTypes, ...yamlTypes], own, true);
    case "patch":
      return body(patchTypesOf(resource), ref(metaNames.patch), true);
    case "delete":
    case "deletecollection":
      return body([...jsonTypes, ...yamlTypes], ref(metaNames.deleteOptions), false);
    case "get":
    case "list":
    case "watch":
      return {};
  }
}

function answers(types: readonly string[], schema: OpenApiSchema, codes: readonly string[] = ["200"]): object {
  const words: Readonly<Record<string, string>> = { "200": "OK", "201": "Created", "202": "Accepted" };
  return { ...Object.fromEntries(codes.map((code) => [code, { description: words[code], content: content(types, schema) }])), "401": { description: "Unauthorized" } };
}

function content(types: readonly string[], schema: OpenApiSchema): object {
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

function ref(component: string): OpenApiSchema {
  return { $ref: `#/components/schemas/${component}` };
}

/** `VendettaDevV1alpha1`, `CoreV1`: the group's part of operation ids. */
function operationWord({ group, version }: Pick<ResponseKind, "group" | "version">): string {
  return [...(group || "core").split("."), version].map(capital).join("");
}

/** First words of operation ids, as Kubernetes makes them. */
const idVerbs: { readonly [V in Exclude<Verb, "watch">]: string } = { list: "list", create: "create", deletecollection: "delete", get: "read", update: "replace", patch: "patch", delete: "delete" };

const capital = (word: string) => word.slice(0, 1).toUpperCase() + word.slice(1);

const scopeWordOf = ({ scope }: ApiResource) => (scope === "Namespaced" ? "Namespaced" : "");

function tagOf({ group, version }: Pick<ResponseKind, "group" | "version">): string {
  const [first = "core", ...rest] = (group || "core").split(".");
  return `${first}${rest.map(capital).join("")}_${version}`;
}
