import { structuralSchema } from "../api/crd.ts";
import { objectMeta } from "../api/meta.ts";
import { mapSchema, withDefaultsTold, type OpenApiSchema } from "../api/openapi-schema.ts";

const prefix = "io.k8s.apimachinery.pkg.apis.meta.v1.";

const text = (description: string): OpenApiSchema => ({ type: "string", description });
const count = (description: string): OpenApiSchema => ({ type: "integer", format: "int64", description });
const flag = (description: string): OpenApiSchema => ({ type: "boolean", description });
const listOf = (items: OpenApiSchema, description: string): OpenApiSchema => ({ type: "array", description, items });
const object = (description: string, properties: Readonly<Record<string, OpenApiSchema>>, required: readonly string[] = []): OpenApiSchema => ({
  description,
  type: "object",
  ...(required.length === 0 ? {} : { required }),
  properties,
});

/** A place where another component stands, with words of its own. A bare `$ref` may have none beside it. */
export function refTo(component: string, description: string): OpenApiSchema {
  return { description, allOf: [{ $ref: `#/components/schemas/${component}` }] };
}

const quantityName = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/** The schema with every quantity called by its name in Kubernetes, which is how `kubectl explain` gives its type. */
export function withQuantitiesNamed(schema: OpenApiSchema): OpenApiSchema {
  return mapSchema(schema, (each) => (each["x-kubernetes-int-or-string"] === true ? refTo(quantityName, each.description ?? "") : each));
}

/** Names of the components of `meta/v1` that documents refer to; Kubernetes' own, as clients know them by name. */
export const metaNames = {
  objectMeta: `${prefix}ObjectMeta`,
  listMeta: `${prefix}ListMeta`,
  deleteOptions: `${prefix}DeleteOptions`,
  preconditions: `${prefix}Preconditions`,
  patch: `${prefix}Patch`,
  status: `${prefix}Status`,
  statusDetails: `${prefix}StatusDetails`,
  statusCause: `${prefix}StatusCause`,
  apiResourceList: `${prefix}APIResourceList`,
  apiResource: `${prefix}APIResource`,
} as const;

const typeMeta = {
  apiVersion: text("Group and version of the schema of this object, such as v1."),
  kind: text("Name of the schema of this object."),
};

/** The components themselves, by name. Source: Kubernetes API conventions, and the API reference's "Common Definitions". */
export function metaSchemas(): Readonly<Record<string, OpenApiSchema>> {
  return {
    [metaNames.objectMeta]: withDefaultsTold({ description: "What every stored object has: its name, and what the server and tools keep of it.", ...structuralSchema(objectMeta) }),
    // Kubernetes says "string" and takes numbers too, as do we.
    [quantityName]: { type: "string", description: "A number with a suffix: 250m is 0.25, 512Mi is 512 * 1024 * 1024, 2G is 2,000,000,000. A bare number may be written without quotes." },
    [metaNames.listMeta]: object("What a list says of itself.", {
      continue: text("Set when there is more: hand it back with the same query to get the next page."),
      remainingItemCount: count("Number of items after this page; absent when it is not known, as with a selector."),
      resourceVersion: text("Version the list was taken at: watch from here to miss nothing."),
      selfLink: text("Unused; of old servers."),
    }),
    [metaNames.deleteOptions]: object("How to delete.", {
      ...typeMeta,
      dryRun: listOf({ type: "string" }, "All: do everything but delete."),
      gracePeriodSeconds: count("Seconds the object may take to end by itself."),
      orphanDependents: flag("Deprecated: use propagationPolicy."),
      preconditions: refTo(metaNames.preconditions, "What must be true of the object for it to be deleted."),
      propagationPolicy: text("What happens to objects that belong to this one: Orphan, Background or Foreground."),
    }),
    [metaNames.preconditions]: object("What must be true of an object before it is changed; else the answer is 409 Conflict.", {
      resourceVersion: text("The object is still at this version."),
      uid: text("The object has this uid: it is not another one of the same name."),
    }),
    [metaNames.patch]: { type: "object", description: "A change to an object; its shape is given by the media type it is sent with." },
    [metaNames.status]: object("An answer that is no object: how a request went.", {
      ...typeMeta,
      metadata: refTo(metaNames.listMeta, "Metadata of a list."),
      status: text("Success or Failure."),
      message: text("What went wrong, as a sentence for people."),
      reason: text("What went wrong, as one CamelCase word for programs, such as NotFound or Conflict."),
      details: refTo(metaNames.statusDetails, "What the reason is about."),
      code: { type: "integer", format: "int32", description: "HTTP status code of the answer." },
    }),
    [metaNames.statusDetails]: object("What a Status is about.", {
      name: text("Name of the object."),
      group: text("API group of the object."),
      kind: text("Kind or resource of the object."),
      uid: text("uid of the object."),
      causes: listOf(refTo(metaNames.statusCause, "One thing that is wrong."), "Each thing that is wrong, one entry a field."),
      retryAfterSeconds: { type: "integer", format: "int32", description: "Seconds to wait before trying again." },
    }),
    [metaNames.statusCause]: object("One thing that is wrong with a request.", {
      field: text("Path of the field, such as spec.ports[0].port."),
      message: text("What is wrong, as a sentence for people."),
      reason: text("What is wrong, as one CamelCase word for programs."),
    }),
    [metaNames.apiResourceList]: object("The resources of one group and version.", {
      ...typeMeta,
      groupVersion: text("The group and version, such as vendetta.dev/v1alpha1."),
      resources: listOf(refTo(metaNames.apiResource, "One resource."), "Its resources and what is below them."),
    }, ["groupVersion", "resources"]),
    [metaNames.apiResource]: object("A resource as discovery tells of it.", {
      name: text("Plural name, in paths."),
      singularName: text("Singular name."),
      namespaced: flag("Whether its objects live in namespaces."),
      group: text("Group of its kind when it is another than the list's."),
      version: text("Version of its kind when it is another than the list's."),
      kind: text("Kind of its objects."),
      verbs: listOf({ type: "string" }, "What can be done with it: get, list, watch, create and so on."),
      shortNames: listOf({ type: "string" }, "Short names for command lines."),
      categories: listOf({ type: "string" }, "Groups of resources it is listed with, such as all."),
    }, ["name", "singularName", "namespaced", "kind", "verbs"]),
  };
}
