import { kindSchema } from "../api/crd.ts";
import { apiVersionOf, type KindDefinition } from "../api/kind.ts";
import { withDefaultsTold, type OpenApiSchema } from "../api/openapi-schema.ts";
import { groupPath } from "../api/paths.ts";
import { kindFor, kinds } from "../api/registry.ts";
import type { ApiResource, ResponseKind } from "./api-resource.ts";
import { metaNames, metaSchemas, refTo, withQuantitiesNamed } from "./openapi-meta.ts";
import { openApiPaths } from "./openapi-paths.ts";

/** The document of one group and version, as far as it is looked at by us. Source: OpenAPI Specification 3.0.0. */
export interface OpenApiDocument {
  readonly openapi: "3.0.0";
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, object>>;
  readonly components: { readonly schemas: Readonly<Record<string, OpenApiSchema>> };
}

/** Packages of Kubernetes whose components are not named after `io.k8s.api`. */
const k8sPackages: Readonly<Record<string, string>> = {
  "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
  "metrics.k8s.io": "io.k8s.metrics.pkg.apis.metrics",
};

/**
 * Name of a kind's component, as Kubernetes makes it: `dev.vendetta.v1alpha1.Workspace`, `io.k8s.api.core.v1.Namespace`,
 * `io.k8s.api.authorization.v1.SelfSubjectAccessReview`.
 */
export function componentName({ group, version, kind }: ResponseKind): string {
  const labels = group.split(".");
  const ofKubernetes = group === "" || group.endsWith(".k8s.io") || labels.length === 1;
  const room = k8sPackages[group] ?? (ofKubernetes ? `io.k8s.api.${labels[0] || "core"}` : labels.reverse().join("."));
  return `${room}.${version}.${kind}`;
}

/** What clients find a kind's schema by. */
export const gvkOf = ({ group, version, kind }: ResponseKind): ResponseKind => ({ group, version, kind });

/**
 * The document of one group and version: the paths of its resources and every schema they speak, made from the records
 * that the store validates with.
 * @param resources all of that group and version
 */
export function createOpenApiDocument(resources: readonly ApiResource[], version: string): OpenApiDocument {
  const spoken = resources.flatMap((each) => [each, ...each.subresources.filter(({ name }) => name === "status").map(({ responseKind }) => responseKind)]);
  const known: Record<string, OpenApiSchema> = { ...metaSchemas() };
  for (const each of spoken) known[componentName(each)] ??= objectSchema(each, resources.find((resource) => resource.kind === each.kind)?.schema);
  for (const each of resources) if (each.verbs.includes("list")) known[`${componentName(each)}List`] = listSchema(each);
  const paths = openApiPaths(resources, { pathOf: groupPath, componentName });
  return {
    openapi: "3.0.0",
    info: { title: "vendetta", version },
    paths,
    components: { schemas: reachable(paths, known) },
  };
}

/** The schema of one kind: of the registry, else the resource's own, else any object. */
function objectSchema(of: ResponseKind, own: OpenApiSchema | undefined): OpenApiSchema {
  const name = kindFor(apiVersionOf(of), of.kind);
  const metadata = refTo(metaNames.objectMeta, "Name, namespace, labels and what else is the same for every kind.");
  const schema = name === undefined ? (own ?? { type: "object", description: `A ${of.kind}.`, "x-kubernetes-preserve-unknown-fields": true }) : withQuantitiesNamed(withDefaultsTold(kindSchema(kinds[name] as KindDefinition<never>, metadata)));
  return { ...schema, "x-kubernetes-group-version-kind": [gvkOf(of)] };
}

function listSchema(of: ResponseKind): OpenApiSchema {
  return {
    description: `A list of ${of.kind} objects.`,
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: { type: "string", description: `Always ${apiVersionOf(of)}.` },
      kind: { type: "string", description: `Always ${of.kind}List.` },
      metadata: refTo(metaNames.listMeta, "Version of the list, and how to get the rest of it."),
      items: { type: "array", description: "The objects, ordered by namespace and name.", items: { allOf: [{ $ref: `#/components/schemas/${componentName(of)}` }] } },
    },
    "x-kubernetes-group-version-kind": [gvkOf({ ...of, kind: `${of.kind}List` })],
  };
}

/** The components that are referred to, and those that these refer to, in order of their names. */
function reachable(root: object, known: Readonly<Record<string, OpenApiSchema>>): Readonly<Record<string, OpenApiSchema>> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, each] of Object.entries(value)) {
      if (key !== "$ref" || typeof each !== "string") {
        visit(each);
        continue;
      }
      const name = each.slice("#/components/schemas/".length);
      const schema = known[name];
      if (schema === undefined) throw new Error(`Cannot write an OpenAPI document: nothing is known of its component ${name}`);
      if (found.has(name)) continue;
      found.add(name);
      visit(schema);
    }
  };
  visit(root);
  return Object.fromEntries([...found].sort().map((name) => [name, known[name]!]));
}
