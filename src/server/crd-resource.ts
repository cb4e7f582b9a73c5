import { createHash } from "node:crypto";
import type { Context, Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { createCrd } from "../api/crd.ts";
import { isBuiltin, qualifiedResource, type KindDefinition } from "../api/kind.ts";
import { kindNames, kinds } from "../api/registry.ts";
import { matchesFields, matchesLabels } from "../api/selectors.ts";
import { notFound, StatusError } from "../api/status-error.ts";
import type { Store } from "../store/store.ts";
import { negotiate, partialListOffer, partialOffer, tableOffer, type Representation } from "./accept.ts";
import type { ApiResource } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { createLifetime } from "./lifetime.ts";
import { metaNames, refTo } from "./openapi-meta.ts";
import { Query } from "./query.ts";
import { jsonResponse, methodNotAllowed } from "./status-response.ts";
import { includeObjectOf, partialObject } from "./table.ts";
import { bodyOf, watchMsOf } from "./watch.ts";

type Ctx = Context<AppEnv>;

const apiVersion = "apiextensions.k8s.io/v1";
const plural = "customresourcedefinitions";

/** What discovery and OpenAPI tell of the CustomResourceDefinitions. */
export const crdResource: ApiResource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural,
  singular: "customresourcedefinition",
  scope: "Cluster",
  verbs: ["get", "list", "watch"],
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  subresources: [],
  schema: {
    description: "What the server knows of a kind: its names, versions, schema and columns. To be read only.",
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `Always ${apiVersion}.` },
      kind: { type: "string", description: "Always CustomResourceDefinition." },
      metadata: refTo(metaNames.objectMeta, "Its name is the kind's plural and group, such as workspaces.vendetta.dev."),
      spec: { type: "object", description: "Names, scope, and for each version its schema and columns.", "x-kubernetes-preserve-unknown-fields": true },
      status: { type: "object", description: "The names in use, the versions stored, and the conditions Established and NamesAccepted.", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
};

/** The definitions as far as they are the same for every store. */
interface Definitions {
  readonly crds: readonly { readonly apiVersion: string; readonly kind: string; readonly metadata: { readonly name: string }; readonly spec: Pick<CrdSpec, "names" | "versions"> }[];
  /** They change with the server's program only: their version is a number made from their content, the same for all. */
  readonly version: string;
}
interface CrdSpec {
  readonly names: object;
  readonly versions: readonly { readonly name: string }[];
}

let definitions: Definitions | undefined;

/** Made when first asked for. */
function definitionsOnce(): Definitions {
  if (definitions === undefined) {
    const own = kindNames.map((name): KindDefinition<never> => kinds[name]).filter((kind) => !isBuiltin(kind));
    const crds = own.map((kind) => createCrd(kind) as unknown as Definitions["crds"][number]).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    // 48 bits: a whole number in every client's hands.
    definitions = { crds, version: String(Number.parseInt(createHash("sha256").update(JSON.stringify(crds)).digest("hex").slice(0, 12), 16)) };
  }
  return definitions;
}

/** A CustomResourceDefinition as the server shows it. */
interface Crd {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string; readonly generation: number; readonly creationTimestamp: string; readonly labels: Readonly<Record<string, string>> };
}

/**
 * The kinds of this server as CustomResourceDefinitions, read-only: made from the same records as everything else, never
 * stored. `kubectl apply --prune` and `--applyset`, and dashboards, read them to learn what there is.
 */
export function addCustomResourceDefinitions(app: Hono<AppEnv>, { store, clock }: { readonly store: Store; readonly clock: Clock }): void {
  const all = async (): Promise<readonly Crd[]> => {
    // They are as old as the store, and another store's are others.
    const { metadata } = await store.get("Namespace", { name: "default" });
    return definitionsOnce().crds.map((crd) => shownCrd(crd, metadata));
  };
  const route = (path: string, handler: (c: Ctx) => Promise<Response>) => {
    app.get(path, handler);
    app.all(path, () => {
      throw methodNotAllowed();
    });
  };
  route(`/apis/${apiVersion}/${plural}`, async (c) => {
    const query = new Query(c.req.url);
    const { labels = [], fields = [] } = query.selection({ selectableFields: [] }, undefined);
    const items = (await all()).filter((each) => matchesLabels(labels, each.metadata.labels) && matchesFields(fields, each));
    return query.flag("watch") ? watch(clock, items, query, c) : listed(items, query, negotiate(c.req.header("accept") ?? null, [tableOffer, partialListOffer]));
  });
  route(`/apis/${apiVersion}/${plural}/:name`, async (c) => {
    const name = c.req.param("name")!;
    const found = (await all()).find((each) => each.metadata.name === name);
    if (found === undefined) throw notFound(qualifiedResource(crdResource), name);
    return jsonResponse(shown(found, new Query(c.req.url), negotiate(c.req.header("accept") ?? null, [tableOffer, partialOffer])));
  });
}

function shownCrd(crd: Definitions["crds"][number], { uid, creationTimestamp }: { readonly uid: string; readonly creationTimestamp: string }): Crd {
  const condition = (type: string, reason: string, message: string) => ({ type, status: "True", lastTransitionTime: creationTimestamp, reason, message });
  return {
    ...crd,
    metadata: { ...crd.metadata, uid: uidOf(uid, crd.metadata.name), resourceVersion: definitionsOnce().version, generation: 1, creationTimestamp, labels: applySetParent },
    spec: { ...crd.spec, conversion: { strategy: "None" } },
    status: {
      conditions: [condition("NamesAccepted", "NoConflicts", "no conflicts found"), condition("Established", "InitialNamesAccepted", "the initial names have been accepted")],
      acceptedNames: crd.spec.names,
      storedVersions: crd.spec.versions.map(({ name }) => name),
    },
  } as Crd;
}

/** Lets `kubectl apply --applyset=workspaces.vendetta.dev/NAME` keep in an object which others were applied with it. */
const applySetParent = { "applyset.kubernetes.io/is-parent-type": "true" };

/** The same for the same store and name, in the shape of RFC 9562 version 8. */
function uidOf(storeUid: string, name: string): string {
  const hex = createHash("sha256").update(`${storeUid}/${name}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function listed(items: readonly Crd[], query: Query, { as, version }: Representation): Response {
  const metadata = { resourceVersion: definitionsOnce().version };
  if (as === "Table") return jsonResponse(tableOf(items, query, version));
  if (as === "PartialObjectMetadataList") return jsonResponse({ kind: as, apiVersion: `meta.k8s.io/${version}`, metadata, items: items.map((each) => partialObject(each, version)) });
  return jsonResponse({ kind: "CustomResourceDefinitionList", apiVersion, metadata, items });
}

function shown(crd: Crd, query: Query, { as, version }: Representation): object {
  if (as === "Table") return tableOf([crd], query, version);
  return as === "PartialObjectMetadata" ? partialObject(crd, version) : crd;
}

/** Columns as Kubernetes prints them. */
function tableOf(items: readonly Crd[], query: Query, version = "v1"): object {
  const include = includeObjectOf(query);
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: { resourceVersion: definitionsOnce().version },
    columnDefinitions: [
      { name: "Name", type: "string", format: "name", description: "Name of the definition: the kind's plural and group.", priority: 0 },
      { name: "Created At", type: "date", format: "", description: "When the store that the server serves was made.", priority: 0 },
    ],
    rows: items.map((each) => ({ cells: [each.metadata.name, each.metadata.creationTimestamp], ...(include === "None" ? {} : { object: include === "Object" ? each : partialObject(each, version) }) })),
  };
}

const watchHeaders = { "content-type": "application/json", "cache-control": "no-cache, private", "transfer-encoding": "chunked" };

/** What there is, when that is asked for; then nothing more happens until the watch ends. */
function watch(clock: Clock, items: readonly Crd[], query: Query, c: Ctx): Response {
  const representation = negotiate(c.req.header("accept") ?? null, [tableOffer, partialOffer]);
  const from = query.resourceVersion();
  const sendInitial = query.choice("sendInitialEvents");
  const lines = (sendInitial ?? (from === undefined || from === "0")) ? items.map((each) => `${JSON.stringify({ type: "ADDED", object: shown(each, query, representation) })}\n`) : [];
  if (sendInitial === true && query.flag("allowWatchBookmarks")) {
    const metadata = { resourceVersion: definitionsOnce().version, annotations: { "k8s.io/initial-events-end": "true" } };
    lines.push(`${JSON.stringify({ type: "BOOKMARK", object: { kind: crdResource.kind, apiVersion, metadata } })}\n`);
  }
  if (from !== undefined && from !== "0" && from !== definitionsOnce().version) {
    // The reader knows the kinds of another program: it has to list again.
    lines.splice(0, lines.length, `${JSON.stringify({ type: "ERROR", object: new StatusError("Expired", `too old resource version: ${from} (${definitionsOnce().version})`).toStatus() })}\n`);
    return new Response(lines.join(""), { headers: watchHeaders });
  }
  const lifetime = createLifetime(clock, watchMsOf(query), c.req.raw.signal, c.env.signal);
  async function* body(): AsyncGenerator<string> {
    if (lines.length > 0) yield lines.join("");
    if (!lifetime.signal.aborted) await new Promise<void>((resolve) => lifetime.signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  return new Response(bodyOf(body(), () => lifetime.end()), { headers: watchHeaders });
}
