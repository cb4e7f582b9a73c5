import type { Hono } from "hono";
import { isFields } from "../base/fields.ts";
import { StatusError } from "../api/status-error.ts";
import { negotiate } from "./accept.ts";
import type { ApiResource, Verb } from "./api-resource.ts";
import type { AppEnv } from "./app-env.ts";
import { jsonTypes, readBody, yamlTypes } from "./body.ts";
import { write } from "./list.ts";
import { protobufType } from "./protobuf/kubernetes-protobuf.ts";
import { methodNotAllowed } from "./status-response.ts";
import { unauthorized } from "./access.ts";
import type { User } from "./user.ts";

const review = { scope: "Cluster", verbs: ["create"] as readonly Verb[], shortNames: [], categories: [], subresources: [] } as const;
const authorization = { group: "authorization.k8s.io", version: "v1" } as const;

/** Questions about oneself: they are asked by creating them, and are not kept. */
export const reviewResources: readonly ApiResource[] = [
  { ...review, group: "authentication.k8s.io", version: "v1", kind: "SelfSubjectReview", plural: "selfsubjectreviews", singular: "selfsubjectreview" },
  { ...review, ...authorization, kind: "SelfSubjectAccessReview", plural: "selfsubjectaccessreviews", singular: "selfsubjectaccessreview" },
  { ...review, ...authorization, kind: "SelfSubjectRulesReview", plural: "selfsubjectrulesreviews", singular: "selfsubjectrulesreview" },
];

/** What is served besides resources, and only read. */
const nonResourceURLs: readonly string[] = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/metrics", "/openapi", "/openapi/*", "/readyz", "/version"];
const nonResourceVerbs: readonly string[] = ["get", "head"];

type Spec = Readonly<Record<string, unknown>>;

/**
 * `kubectl auth whoami`, `auth can-i` and `can-i --list`. There is one identity, and it may do whatever the server can: what
 * is answered with no is what no resource of it has a verb for.
 * @param resources all that the server has, reviews included
 */
export function addReviews(app: Hono<AppEnv>, resources: readonly ApiResource[]): void {
  const answers: Readonly<Record<string, (spec: Spec, user: User) => { readonly spec?: Spec; readonly status: object }>> = {
    SelfSubjectReview: (_spec, { name, groups }) => ({ status: { userInfo: { username: name, groups } } }),
    SelfSubjectAccessReview: (spec) => ({ spec, status: accessOf(spec, resources) }),
    SelfSubjectRulesReview: (spec) => ({ spec, status: rulesOf(resources) }),
  };
  for (const { group, version, kind, plural } of reviewResources) {
    const path = `/apis/${group}/${version}/${plural}`;
    app.post(path, async (c) => {
      const { user } = c.env;
      if (user === undefined) throw unauthorized();
      const representation = negotiate(c.req.header("accept") ?? null, [], "protobuf");
      const spec = specOf(await readBody(c.req.raw, [...jsonTypes, ...yamlTypes, protobufType]), `${group}/${version}`, kind);
      return write({ kind, apiVersion: `${group}/${version}`, metadata: { creationTimestamp: null }, ...answers[kind]!(spec, user) }, representation, 201);
    });
    app.all(path, () => {
      throw methodNotAllowed();
    });
  }
}

/** @throws StatusError BadRequest */
function specOf(body: unknown, apiVersion: string, kind: string): Spec {
  const given = fieldsOf(body, `a ${kind}`);
  if ((given["kind"] ?? kind) !== kind || (given["apiVersion"] ?? apiVersion) !== apiVersion) {
    throw new StatusError("BadRequest", `Cannot read a ${kind}: the request's body is a ${JSON.stringify(given["kind"])?.slice(0, 100)} of ${JSON.stringify(given["apiVersion"])?.slice(0, 100)}`);
  }
  return fieldsOf(given["spec"] ?? {}, `the spec of a ${kind}`);
}

function fieldsOf(value: unknown, what: string): Spec {
  if (!isFields(value)) throw new StatusError("BadRequest", `Cannot read ${what}: expected an object`);
  return value;
}

function textOf(fields: Spec, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw new StatusError("BadRequest", `Cannot read a SelfSubjectAccessReview: ${name} must be a string`);
  return value;
}

interface Access {
  readonly allowed: boolean;
  readonly reason?: string;
}

function accessOf(spec: Spec, resources: readonly ApiResource[]): Access {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    throw new StatusError("Invalid", "SelfSubjectAccessReview is invalid: spec: exactly one of nonResourceAttributes or resourceAttributes must be specified", {
      group: authorization.group, kind: "SelfSubjectAccessReview", causes: [{ field: "spec", message: "exactly one of nonResourceAttributes or resourceAttributes must be specified", reason: "FieldValueInvalid" }],
    });
  }
  return resourceAttributes === undefined ? pathAccess(fieldsOf(nonResourceAttributes, "spec.nonResourceAttributes")) : resourceAccess(fieldsOf(resourceAttributes, "spec.resourceAttributes"), resources);
}

function pathAccess(attributes: Spec): Access {
  const verb = textOf(attributes, "verb");
  const path = textOf(attributes, "path");
  const known = path === "*" || nonResourceURLs.some((each) => each === path || (each.endsWith("*") && path.startsWith(each.slice(0, -1))));
  if (!known) return { allowed: false, reason: `there is nothing at ${JSON.stringify(path)}` };
  return verb === "*" || nonResourceVerbs.includes(verb.toLowerCase()) ? { allowed: true } : { allowed: false, reason: `what is at ${path} can only be read` };
}

function resourceAccess(attributes: Spec, resources: readonly ApiResource[]): Access {
  const [verb, group, resource, subresource] = [textOf(attributes, "verb"), textOf(attributes, "group"), textOf(attributes, "resource"), textOf(attributes, "subresource")];
  const meant = resources.filter((each) => (group === "*" || each.group === group) && (resource === "*" || each.plural === resource));
  const name = [group === "" ? resource : `${resource}.${group}`, ...(subresource === "" ? [] : [subresource])].join("/");
  const verbs = subresource === "" ? meant.map((each) => each.verbs) : meant.flatMap((each) => each.subresources.filter((below) => subresource === "*" || below.name === subresource).map((below) => below.verbs));
  if (verbs.length === 0) return { allowed: false, reason: `this server has no resource ${JSON.stringify(name.slice(0, 300))}` };
  if (verb === "*" || verbs.some((each) => each.some((known) => known === verb))) return { allowed: true };
  return { allowed: false, reason: `${name} has no verb ${JSON.stringify(verb.slice(0, 100))}: it has ${[...new Set(verbs.flat())].join(", ")}` };
}

/** One rule for the resources of a group that have the same verbs. */
function rulesOf(resources: readonly ApiResource[]): object {
  const rules = new Map<string, { readonly verbs: readonly string[]; readonly apiGroups: readonly string[]; readonly resources: string[] }>();
  for (const { group, plural, verbs, subresources } of resources) {
    for (const each of [{ path: plural, verbs }, ...subresources.map((below) => ({ path: `${plural}/${below.name}`, verbs: below.verbs }))]) {
      const key = [group, ...each.verbs].join(" ");
      const rule = rules.get(key);
      if (rule === undefined) rules.set(key, { verbs: each.verbs, apiGroups: [group], resources: [each.path] });
      else rule.resources.push(each.path);
    }
  }
  return { resourceRules: [...rules.values()], nonResourceRules: [{ verbs: ["get"], nonResourceURLs }], incomplete: false };
}
