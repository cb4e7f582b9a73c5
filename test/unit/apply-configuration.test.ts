import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyConfiguration } from "../../src/api/apply/apply-configuration.ts";
import { noFields, pathsOf } from "../../src/api/apply/field-set.ts";
import { decodeFields } from "../../src/api/apply/fields-v1.ts";
import { mergeSchemaOf } from "../../src/api/apply/kind-merge-schema.ts";
import { listCauses } from "../../src/api/apply/list-items.ts";
import { managedPart } from "../../src/api/apply/managed-part.ts";
import type { Manager } from "../../src/api/apply/managers.ts";
import { pathText } from "../../src/api/apply/path-element.ts";
import { trackUpdate } from "../../src/api/apply/track-update.ts";
import { StatusError } from "../../src/api/status-error.ts";

// The behaviour that kubernetes.io, "Server-Side Apply", documents, on a Service.

const schema = mergeSchemaOf("Service");
const identity = { apiVersion: "vendetta.dev/v1alpha1", subresource: "" };

type Fields = Readonly<Record<string, any>>;
interface State {
  readonly live: Fields;
  readonly managers: readonly Manager[];
}

/** A story: each step is a manager and what it applies ("apply", "force") or makes of the whole object ("update"). */
type Step = readonly [how: "apply" | "force" | "update", manager: string, value: Fields];

let seconds = 0;
function step({ live, managers }: State, [how, name, value]: Step): State {
  const now = new Date(1767225600000 + 1000 * seconds++).toISOString();
  if (how === "update") {
    const after = managedPart(value, undefined);
    return { live: after, managers: trackUpdate({ schema, before: live, after, managers, writer: { ...identity, operation: "Update", name }, now }) };
  }
  const { merged, managers: next } = applyConfiguration({ schema, live, configuration: managedPart(value, undefined), managers, applier: { ...identity, operation: "Apply", name }, force: how === "force", takeable: noFields, now });
  return { live: merged as Fields, managers: next };
}

const nobody: State = { live: { metadata: {} }, managers: [] };
const after = (steps: readonly Step[], from: State = nobody): State => steps.reduce(step, from);
const owned = ({ managers }: State): Fields => Object.fromEntries(managers.map(({ name, operation, fields }) => [operation === "Apply" ? name : `${name} (${operation})`, [...pathsOf(fields)].map(pathText).sort()]));

const db = { name: "db" };
const api = { name: "api" };

const stories: readonly { readonly what: string; readonly steps: readonly Step[]; readonly live: Fields; readonly owners: Fields }[] = [
  {
    what: "who applies owns the leaves it names, not the structures around them",
    steps: [["apply", "a", { metadata: { name: "web", labels: { app: "x" } }, spec: { workspace: "dev", healthCheck: { http: { path: "/" } } } }]],
    live: { metadata: { labels: { app: "x" } }, spec: { workspace: "dev", healthCheck: { http: { path: "/" } } } },
    owners: { a: [".metadata.labels.app", ".spec.healthCheck.http.path", ".spec.workspace"] },
  },
  {
    what: "who updates owns what it changed, structures it made included",
    steps: [["update", "u", { metadata: { labels: { app: "x" } }, spec: { workspace: "dev" } }]],
    live: { metadata: { labels: { app: "x" } }, spec: { workspace: "dev" } },
    owners: { "u (Update)": [".metadata.labels", ".metadata.labels.app", ".spec", ".spec.workspace"] },
  },
  {
    what: "two that want the same value share it",
    steps: [["apply", "a", { spec: { workspace: "dev" } }], ["apply", "b", { spec: { workspace: "dev" } }]],
    live: { metadata: {}, spec: { workspace: "dev" } },
    owners: { a: [".spec.workspace"], b: [".spec.workspace"] },
  },
  {
    what: "a shared value outlives one of its owners",
    steps: [["apply", "a", { spec: { workspace: "dev", port: 1 } }], ["apply", "b", { spec: { workspace: "dev" } }], ["apply", "a", { spec: { port: 1 } }]],
    live: { metadata: {}, spec: { workspace: "dev", port: 1 } },
    owners: { a: [".spec.port"], b: [".spec.workspace"] },
  },
  {
    what: "a value that nobody names any more is gone",
    steps: [["apply", "a", { metadata: { labels: { x: "1", y: "2" } }, spec: { port: 1, workspace: "dev" } }], ["apply", "a", { metadata: { labels: { y: "2" } }, spec: { workspace: "dev" } }]],
    live: { metadata: { labels: { y: "2" } }, spec: { workspace: "dev" } },
    owners: { a: [".metadata.labels.y", ".spec.workspace"] },
  },
  {
    what: "force takes a field from its owner",
    steps: [["apply", "a", { spec: { workspace: "dev", port: 1 } }], ["force", "b", { spec: { port: 2 } }]],
    live: { metadata: {}, spec: { workspace: "dev", port: 2 } },
    owners: { a: [".spec.workspace"], b: [".spec.port"] },
  },
  {
    what: "an update takes without being asked",
    steps: [["apply", "a", { spec: { workspace: "dev", port: 1 } }], ["update", "u", { spec: { workspace: "dev", port: 2 } }]],
    live: { metadata: {}, spec: { workspace: "dev", port: 2 } },
    owners: { a: [".spec.workspace"], "u (Update)": [".spec.port"] },
  },
  {
    what: "what an update takes out is nobody's",
    steps: [["apply", "a", { spec: { workspace: "dev", port: 1 } }], ["update", "u", { spec: { workspace: "dev" } }]],
    live: { metadata: {}, spec: { workspace: "dev" } },
    owners: { a: [".spec.workspace"] },
  },
  {
    what: "a field taken over by an update may be left out without losing it: how an applier hands a field on",
    steps: [["apply", "a", { spec: { workspace: "dev", port: 1 } }], ["update", "u", { spec: { workspace: "dev", port: 2 } }], ["apply", "a", { spec: { workspace: "dev" } }]],
    live: { metadata: {}, spec: { workspace: "dev", port: 2 } },
    owners: { a: [".spec.workspace"], "u (Update)": [".spec.port"] },
  },
  {
    what: "items of a keyed list are each its own",
    steps: [["apply", "a", { spec: { dependsOn: [{ ...db, condition: "Ready" }] } }], ["apply", "b", { spec: { dependsOn: [api] } }]],
    live: { metadata: {}, spec: { dependsOn: [{ ...db, condition: "Ready" }, api] } },
    owners: {
      a: ['.spec.dependsOn[name="db"]', '.spec.dependsOn[name="db"].condition', '.spec.dependsOn[name="db"].name'],
      b: ['.spec.dependsOn[name="api"]', '.spec.dependsOn[name="api"].name'],
    },
  },
  {
    what: "an item goes with all that is in it when who has it lets it go",
    steps: [["apply", "a", { spec: { dependsOn: [db, api] } }], ["apply", "b", { spec: { dependsOn: [db] } }], ["apply", "a", { spec: { workspace: "dev" } }]],
    live: { metadata: {}, spec: { workspace: "dev", dependsOn: [db] } },
    owners: { a: [".spec.workspace"], b: ['.spec.dependsOn[name="db"]', '.spec.dependsOn[name="db"].name'] },
  },
  {
    what: "a set is owned value by value",
    steps: [["apply", "a", { metadata: { finalizers: ["x/a"] } }], ["apply", "b", { metadata: { finalizers: ["x/b"] } }], ["apply", "a", { metadata: { labels: { l: "1" } } }]],
    live: { metadata: { finalizers: ["x/b"], labels: { l: "1" } } },
    owners: { a: [".metadata.labels.l"], b: ['.metadata.finalizers[="x/b"]'] },
  },
  {
    what: "an atomic list is owned whole",
    steps: [["apply", "a", { spec: { command: ["run", "-v"] } }]],
    live: { metadata: {}, spec: { command: ["run", "-v"] } },
    owners: { a: [".spec.command"] },
  },
  {
    what: "applying nothing leaves nothing",
    steps: [["apply", "a", { metadata: { labels: { x: "1" } } }], ["apply", "a", {}]],
    live: { metadata: {} },
    owners: {},
  },
];

describe("applying and updating", () => {
  for (const { what, steps, live, owners } of stories) {
    it(what, () => {
      const state = after(steps);
      assert.deepEqual(state.live, live);
      assert.deepEqual(owned(state), owners);
    });
  }

  it("what was there before anybody was asked for a name has a manager from the first apply on", () => {
    const state = after([["apply", "a", { spec: { port: 1 } }]], { live: { metadata: { labels: { app: "x" } }, spec: { workspace: "dev", port: 1 } }, managers: [] });
    assert.deepEqual(owned(state), {
      "before-first-apply (Update)": [".metadata.labels", ".metadata.labels.app", ".spec", ".spec.port", ".spec.workspace"],
      a: [".spec.port"],
    });
  });

  it("what nobody owns stays beside what its neighbour lets go: controllers name no manager", () => {
    const first = after([["apply", "a", { metadata: { finalizers: ["x/a"], labels: { mine: "1" } } }]]);
    const withController = { ...first, live: { metadata: { finalizers: ["x/a", "vendetta.dev/workspace"], labels: { mine: "1", theirs: "2" } } } };
    assert.deepEqual(after([["apply", "a", {}]], withController).live, { metadata: { finalizers: ["vendetta.dev/workspace"], labels: { theirs: "2" } } });
  });

  it("an item that stays keeps its keys, also where managedFields moved by hand say that nobody owns them", () => {
    const first = after([["apply", "a", { spec: { dependsOn: [{ ...db, condition: "Started" }] } }]]);
    const itemOnly = decodeFields({ "f:spec": { "f:dependsOn": { 'k:{"name":"db"}': {} } } })!;
    const moved: State = { ...first, managers: [...first.managers, { ...identity, operation: "Update", name: "b", time: undefined, fields: itemOnly }] };
    assert.deepEqual(after([["apply", "a", { spec: { workspace: "dev" } }]], moved).live, { metadata: {}, spec: { workspace: "dev", dependsOn: [db] } });
  });

  it("defaults inside a structure go with it", () => {
    const first = after([["apply", "a", { spec: { workspace: "dev", healthCheck: { http: { path: "/" } } } }]]);
    const withDefaults = { ...first, live: { metadata: {}, spec: { workspace: "dev", healthCheck: { http: { path: "/" }, intervalSeconds: 5 } } } };
    assert.deepEqual(after([["apply", "a", { spec: { workspace: "dev" } }]], withDefaults).live, { metadata: {}, spec: { workspace: "dev" } });
  });

  it("2 and \"2\" are the same quantity", () => {
    const workspace = mergeSchemaOf("Workspace");
    const live = { metadata: {}, spec: { resources: { cpu: "2" } } };
    const managers: readonly Manager[] = [{ ...identity, operation: "Apply", name: "a", time: undefined, fields: trackUpdate({ schema: workspace, before: { metadata: {} }, after: live, managers: [], writer: { ...identity, operation: "Update", name: "x" }, now: "" })[0]!.fields }];
    const apply = (cpu: unknown) => applyConfiguration({ schema: workspace, live, configuration: { metadata: {}, spec: { resources: { cpu } } }, managers, applier: { ...identity, operation: "Apply", name: "b" }, force: false, takeable: noFields, now: "" });
    assert.equal(apply(2).managers.length, 2);
    assert.throws(() => apply(3), /conflict with "a": \.spec\.resources\.cpu/);
  });
});

describe("conflicts", () => {
  const refusal = (steps: readonly Step[]): StatusError => {
    try {
      after(steps);
    } catch (error) {
      if (error instanceof StatusError) return error;
      throw error;
    }
    throw new assert.AssertionError({ message: "nothing was refused" });
  };

  it("with an applier, in Kubernetes' words", () => {
    const { code, reason, message, details } = refusal([["apply", "a", { spec: { port: 1 } }], ["apply", "b", { spec: { port: 2 } }]]);
    assert.deepEqual([code, reason, message], [409, "Conflict", 'Apply failed with 1 conflict: conflict with "a": .spec.port']);
    assert.deepEqual(details, { causes: [{ reason: "FieldManagerConflict", message: 'conflict with "a"', field: ".spec.port" }] });
  });

  it("with an updater, which is named with the version it used", () => {
    const { message, details } = refusal([["update", "u", { spec: { port: 1, dependsOn: [{ ...db, condition: "Ready" }] } }], ["apply", "b", { spec: { dependsOn: [{ ...db, condition: "Started" }] } }]]);
    assert.equal(message, 'Apply failed with 1 conflict: conflict with "u" using vendetta.dev/v1alpha1: .spec.dependsOn[name="db"].condition');
    assert.deepEqual(details.causes, [{ reason: "FieldManagerConflict", message: 'conflict with "u" using vendetta.dev/v1alpha1', field: '.spec.dependsOn[name="db"].condition' }]);
  });

  it("with several, by manager", () => {
    const { message, details } = refusal([["apply", "z", { metadata: { labels: { l: "1" } } }], ["apply", "a", { spec: { port: 1, workspace: "dev" } }], ["apply", "b", { metadata: { labels: { l: "2" } }, spec: { port: 2, workspace: "other" } }]]);
    assert.equal(message, 'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.port\n- .spec.workspace\nconflicts with "z":\n- .metadata.labels.l');
    assert.equal(details.causes!.length, 3);
  });
});

describe("lists that cannot be merged", () => {
  it("name the item, and what is wrong with it", () => {
    const causes = (value: unknown) => listCauses(schema, value).map(({ field, message, reason }) => `${field}: ${message} (${reason})`);
    assert.deepEqual(causes({ spec: { dependsOn: [db, db] } }), ['spec.dependsOn[1]: duplicate entries for key [name="db"] (FieldValueDuplicate)']);
    assert.deepEqual(causes({ spec: { ports: [{ port: 1 }] } }), ["spec.ports[0].name: is required: it tells the item from the others (FieldValueRequired)"]);
    assert.deepEqual(causes({ spec: { ports: ["x"] }, metadata: { finalizers: [{}, "a", "a"] } }), [
      "spec.ports[0]: must be a map: the list is merged by its items (FieldValueTypeInvalid)",
      "metadata.finalizers[0]: must be a plain value: the list is merged by its items (FieldValueTypeInvalid)",
      'metadata.finalizers[2]: duplicate entries for key [="a"] (FieldValueDuplicate)',
    ]);
    assert.deepEqual(causes({ spec: { dependsOn: [db, api], command: ["a", "a"] } }), []);
  });
});
