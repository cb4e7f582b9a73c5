import type { KindDefinition } from "../api/kind.ts";
import type { OpenApiSchema } from "../api/openapi-schema.ts";

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

/** Which kind a path speaks: group ("" for core), version and kind. */
export interface ResponseKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A path below an object, such as `status` or `log`. */
export interface ApiSubresource {
  readonly name: string;
  readonly responseKind: ResponseKind;
  readonly verbs: readonly Verb[];
}

/**
 * A resource as discovery tells of it: most are stored kinds, some (reviews, metrics) are answered without being stored.
 * Whoever adds paths to the app adds their resources to the list that `addDiscovery` is given, and nothing else.
 */
export interface ApiResource extends ResponseKind {
  readonly plural: string;
  readonly singular: string;
  readonly scope: "Cluster" | "Namespaced";
  readonly verbs: readonly Verb[];
  /** Verbs that OpenAPI tells of although they are refused: kubectl then asks the server, whose refusal says what to do, instead of finding faults with the manifest itself. */
  readonly refusedVerbs?: readonly Verb[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly ApiSubresource[];
  /** Of the object, for OpenAPI. Absent: the registry's, or any object when the registry does not know the kind. */
  readonly schema?: OpenApiSchema;
}

const storedVerbs: readonly Verb[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** What can be done with a kind. As in Kubernetes, Namespaces are deleted one by one and by name. */
export function verbsOf({ kind, view }: KindDefinition<never>): readonly Verb[] {
  if (view !== undefined) return view.verbs;
  return kind === "Namespace" ? storedVerbs.filter((verb) => verb !== "deletecollection") : storedVerbs;
}

/** What discovery tells of a kind. */
export function resourceOf(kind: KindDefinition<never>): ApiResource {
  const { group, version, view } = kind;
  const responseKind = { group, version, kind: kind.kind };
  const status: readonly ApiSubresource[] = kind.statusSchema === undefined ? [] : [{ name: "status", responseKind, verbs: ["get", "patch", "update"] }];
  return {
    ...responseKind,
    plural: kind.plural,
    singular: kind.singular,
    scope: kind.scope,
    verbs: verbsOf(kind),
    ...(view === undefined ? {} : { refusedVerbs: ["create", "patch"] as const }),
    shortNames: kind.shortNames,
    categories: kind.categories,
    subresources: view?.subresources.map((each) => ({ name: each.name, responseKind: { group, version, kind: each.kind }, verbs: each.verbs })) ?? status,
  };
}
