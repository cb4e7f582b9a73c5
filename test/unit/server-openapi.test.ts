import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { ApiResource } from "../../src/server/api-resource.ts";
import { componentName, createOpenApiDocument } from "../../src/server/openapi-document.ts";
import { testApp } from "./server-harness.ts";

const own = "apis/vendetta.dev/v1alpha1";

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await testApp().send("GET", path, undefined, headers);
  return { response, body: (response.status === 200 ? await response.json() : undefined) as any };
}

async function documents(): Promise<Map<string, any>> {
  const { paths } = (await get("/openapi/v3")).body;
  return new Map(await Promise.all(Object.entries(paths as Record<string, { serverRelativeURL: string }>).map(async ([name, { serverRelativeURL }]) => [name, (await get(serverRelativeURL)).body] as const)));
}

describe("OpenAPI v3", () => {
  it("has one document for each group and version of discovery", async () => {
    const { groups } = (await get("/apis")).body;
    assert.deepEqual([...(await documents()).keys()].sort(), ["api/v1", ...groups.flatMap((group: any) => group.versions.map((each: any) => `apis/${each.groupVersion}`))].sort());
  });
  it("lets a document be kept for ever when it is asked for by its hash, and no longer otherwise", async () => {
    const { serverRelativeURL } = (await get("/openapi/v3")).body.paths[own];
    const { headers } = (await get(serverRelativeURL)).response;
    assert.match(headers.get("cache-control") ?? "", /public.*immutable/);
    assert.match(headers.get("etag") ?? "", /^"[0-9A-F]{64}"$/);
    assert.equal(serverRelativeURL, `/openapi/v3/${own}?hash=${headers.get("etag")!.slice(1, -1)}`);
    assert.equal((await get(`/openapi/v3/${own}`)).response.headers.get("cache-control"), null);
  });
  it("leads from an old hash to the document as it is", async () => {
    const { response } = await get(`/openapi/v3/${own}?hash=0`);
    assert.equal(response.status, 301);
    assert.equal(response.headers.get("location"), (await get("/openapi/v3")).body.paths[own].serverRelativeURL);
  });
  it("sends nothing to those who have it", async () => {
    const etag = (await get(`/openapi/v3/${own}`)).response.headers.get("etag")!;
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) assert.equal((await get(`/openapi/v3/${own}`, { "if-none-match": tag })).response.status, 304, tag);
    assert.equal((await get(`/openapi/v3/${own}`, { "if-none-match": '"x"' })).response.status, 200);
  });
  for (const [accept, code] of [
    ["application/json", 200],
    ["application/com.github.proto-openapi.spec.v3@v1.0+protobuf", 406],
    ["application/com.github.proto-openapi.spec.v3@v1.0+protobuf, application/json", 200],
    ["application/json;q=0", 406],
    ["*/*", 200],
  ] as const) {
    it(`answers ${accept} with ${code}`, async () => {
      for (const path of ["/openapi/v3", `/openapi/v3/${own}`]) assert.equal((await get(path, { accept })).response.status, code);
    });
  }
  it("of another group is 404", async () => {
    for (const path of ["/openapi/v3/apis/apps/v1", "/openapi/v3/", "/openapi/v1"]) assert.equal((await get(path)).response.status, 404, path);
  });
});

describe("an OpenAPI document", () => {
  it("refers to nothing that is not in it, and has nothing that is not referred to", async () => {
    for (const [name, document] of await documents()) {
      const refs = new Set([...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, ref]) => ref));
      assert.deepEqual([...refs].sort(), Object.keys(document.components.schemas), name);
    }
  });
  it("tells of paths and methods that are there, and of every verb of discovery", async () => {
    const { send } = testApp({ logs: () => Promise.reject(new Error("nothing is started here")), showConsole: () => Promise.resolve(""), plans: () => Promise.reject(new Error("nothing is planned here")) });
    for (const [name, { paths }] of await documents()) {
      for (const [path, item] of Object.entries<any>(paths)) {
        if (path.endsWith("/")) continue;
        for (const method of Object.keys(item).filter((key) => key !== "parameters")) {
          const response = await send(method.toUpperCase(), path.replace("{namespace}", "default").replace("{name}", "none"));
          const { message = "", code } = (await response.json()) as any;
          // What shows others is told of as written to, so that the server can say what to write instead.
          if (/a Pod shows a Workspace/.test(message)) continue;
          assert.ok(code !== 405 && !/could not find the requested resource/.test(message), `${method} ${path}: ${message}`);
        }
      }
      const { resources } = (await get(`/${name}`)).body;
      const actions: Record<string, string> = { create: "post", update: "put" };
      const methods: Record<string, string> = { create: "post", update: "put", get: "get", patch: "patch", delete: "delete" };
      for (const { name: plural, verbs, namespaced, kind } of resources as any[]) {
        const [resource, subresource] = plural.split("/");
        const collection = `/${name}${namespaced ? "/namespaces/{namespace}" : ""}/${resource}`;
        const told = [collection, `${collection}/{name}`].flatMap((path) => Object.values<any>(paths[path] ?? {}));
        for (const verb of verbs.filter((each: string) => each !== "watch")) {
          const operation = subresource === undefined ? told.find((each) => each["x-kubernetes-action"] === (actions[verb] ?? verb)) : paths[`${collection}/{name}/${subresource}`]?.[methods[verb]!];
          assert.equal(operation?.["x-kubernetes-group-version-kind"].kind, kind, `${verb} ${plural}`);
        }
      }
    }
  });
  it("has no operation id twice", async () => {
    for (const [, { paths }] of await documents()) {
      const ids = Object.values<any>(paths).flatMap((item) => Object.values<any>(item).flatMap((each) => each.operationId ?? []));
      assert.equal(new Set(ids).size, ids.length);
    }
  });
  it("names kinds as clients look for them, with what they may send", async () => {
    const document = (await documents()).get(own);
    const schema = document.components.schemas["dev.vendetta.v1alpha1.Workspace"];
    assert.deepEqual(schema["x-kubernetes-group-version-kind"], [{ group: "vendetta.dev", version: "v1alpha1", kind: "Workspace" }]);
    assert.match(schema.properties.spec.properties.state.description, /Default: Running\.$/);
    assert.equal(schema.properties.spec.properties.resources.properties.memory.allOf[0].$ref, "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity");
    const patch = document.paths[`/${own}/namespaces/{namespace}/workspaces/{name}`].patch;
    assert.deepEqual(Object.keys(patch.requestBody.content), ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]);
    assert.deepEqual(patch.parameters.map((each: any) => each.name), ["dryRun", "fieldManager", "fieldValidation", "force"]);
    assert.ok((await documents()).get("api/v1").components.schemas["io.k8s.api.core.v1.NamespaceList"]);
  });
  it("describes every field of every component", async () => {
    const missing: string[] = [];
    const walk = (schema: any, path: string): void => {
      if (typeof schema.description !== "string") missing.push(path);
      for (const [name, each] of Object.entries<any>(schema.properties ?? {})) walk(each, `${path}.${name}`);
      for (const inside of [schema.items, schema.additionalProperties]) for (const [name, each] of Object.entries<any>(inside?.properties ?? {})) walk(each, `${path}[].${name}`);
    };
    for (const [, { components }] of await documents()) for (const [name, schema] of Object.entries<any>(components.schemas)) walk(schema, name);
    assert.deepEqual(missing, []);
  });
  it("of a resource that is not stored has its own schema, or says that any object will do", () => {
    const resource = (kind: string, more: Partial<ApiResource> = {}): ApiResource => ({ group: "metrics.k8s.io", version: "v1beta1", kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), scope: "Namespaced", verbs: ["get", "list"], shortNames: [], categories: [], subresources: [], ...more });
    const log = { name: "log", responseKind: { group: "", version: "v1", kind: "Pod" }, verbs: ["get"] } as const;
    const { components, paths } = createOpenApiDocument([resource("PodMetrics", { schema: { type: "object", description: "What it uses." } }), resource("Other", { verbs: ["create"], subresources: [log] })], "1");
    assert.equal(components.schemas["io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics"]?.description, "What it uses.");
    assert.equal(components.schemas["io.k8s.metrics.pkg.apis.metrics.v1beta1.Other"]?.["x-kubernetes-preserve-unknown-fields"], true);
    assert.deepEqual(Object.keys(paths["/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/others"] as object), ["post", "parameters"]);
    assert.ok("get" in (paths["/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/others/{name}/log"] as object));
  });
  for (const [group, version, kind, name] of [
    ["vendetta.dev", "v1alpha1", "Node", "dev.vendetta.v1alpha1.Node"],
    ["", "v1", "Event", "io.k8s.api.core.v1.Event"],
    ["authorization.k8s.io", "v1", "SelfSubjectAccessReview", "io.k8s.api.authorization.v1.SelfSubjectAccessReview"],
    ["apiextensions.k8s.io", "v1", "CustomResourceDefinition", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"],
    ["apps", "v1", "Deployment", "io.k8s.api.apps.v1.Deployment"],
  ] as const) {
    it(`calls ${kind} of "${group}" ${name}`, () => assert.equal(componentName({ group, version, kind }), name));
  }
});

/** The fields of a message as they stand in its bytes: by number, those with a length as bytes. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly Uint8Array[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type !== WireType.LengthDelimited) reader.skip(type, number);
    else fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
  }
  return fields;
}

describe("OpenAPI v2", () => {
  const protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
  const read = async () => new Uint8Array(await (await testApp().send("GET", "/openapi/v2", undefined, { accept: protobuf })).arrayBuffer());
  const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  /** The value of an entry in a list of `{ name = 1, value = 2 }`. */
  const valueNamed = (bytes: Uint8Array, field: number, name: string) => {
    const entry = (fieldsOf(bytes).get(field) ?? []).map(fieldsOf).find((each) => textOf(each.get(1)?.[0]) === name);
    assert.ok(entry !== undefined, `no entry ${name} in field ${field}`);
    return entry.get(2)![0]!;
  };

  it("is all documents as one, with everything that is referred to", async () => {
    const { body, response } = await get("/openapi/v2");
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(body.swagger, "2.0");
    const all = [...(await documents()).values()];
    assert.deepEqual(Object.keys(body.paths).sort(), all.flatMap((each) => Object.keys(each.paths)).sort());
    assert.deepEqual(Object.keys(body.definitions), [...new Set(all.flatMap((each) => Object.keys(each.components.schemas)))].sort());
    for (const [, ref] of JSON.stringify(body).matchAll(/"\$ref":"([^"]+)"/g)) assert.ok(body.definitions[ref!.slice("#/definitions/".length)] !== undefined, ref);
    assert.doesNotMatch(JSON.stringify(body), /components|allOf|anyOf/);
    const { patch } = body.paths[`/${own}/namespaces/{namespace}/workspaces/{name}`];
    assert.deepEqual(patch.consumes, ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]);
    assert.deepEqual(patch.parameters[0], { in: "body", name: "body", required: true, schema: { $ref: "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch" } });
  });
  it("is protobuf for those who read nothing else", async () => {
    const { headers } = await testApp().send("GET", "/openapi/v2", undefined, { accept: `${protobuf}, application/json` });
    assert.equal(headers.get("content-type"), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    const document = await read();
    assert.equal(textOf(fieldsOf(document).get(1)?.[0]), "2.0");
    const workspace = valueNamed(fieldsOf(document).get(9)![0]!, 1, "dev.vendetta.v1alpha1.Workspace");
    assert.match(textOf(fieldsOf(workspace).get(4)?.[0]), /^A place to work in/);
    assert.deepEqual(JSON.parse(textOf(fieldsOf(valueNamed(workspace, 31, "x-kubernetes-group-version-kind")).get(2)?.[0])), [{ group: "vendetta.dev", version: "v1alpha1", kind: "Workspace" }]);
    const properties = fieldsOf(workspace).get(25)![0]!;
    assert.equal(textOf(fieldsOf(valueNamed(properties, 1, "metadata")).get(1)?.[0]), "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    const spec = valueNamed(properties, 1, "spec");
    assert.deepEqual(fieldsOf(spec).get(19)!.map(textOf), ["provider"]);
    const patch = fieldsOf(valueNamed(fieldsOf(document).get(8)![0]!, 2, `/${own}/namespaces/{namespace}/workspaces/{name}`)).get(8)![0]!;
    assert.deepEqual(fieldsOf(patch).get(7)!.map(textOf), ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]);
    // ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema
    const query = fieldsOf(patch).get(8)!.map((item) => fieldsOf(fieldsOf(item).get(1)![0]!).get(2)).filter((each) => each !== undefined).map((each) => fieldsOf(fieldsOf(each[0]!).get(3)![0]!));
    assert.deepEqual(query.map((each) => `${textOf(each.get(4)?.[0])} ${textOf(each.get(2)?.[0])} ${textOf(each.get(6)?.[0])}`), ["dryRun query string", "fieldManager query string", "fieldValidation query string", "force query boolean"]);
  });
  it("sends nothing to those who have it, and 406 to those who cannot read it", async () => {
    const etag = (await get("/openapi/v2")).response.headers.get("etag")!;
    assert.equal((await get("/openapi/v2", { "if-none-match": etag })).response.status, 304);
    assert.equal((await get("/openapi/v2", { accept: "text/html" })).response.status, 406);
  });
});
