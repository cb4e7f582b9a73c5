import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { localLabelCauses } from "../../src/api/local-node-label.ts";

type Labelled = Parameters<typeof localLabelCauses>[0];
const node = (ssh: boolean, label?: string): Labelled => ({ metadata: label === undefined ? {} : { labels: { "vendetta.dev/local": label, a: "b" } }, spec: ssh ? { ssh: {} } : {} });

describe("the label of the server's own machine", () => {
  const rows: readonly (readonly [what: string, node: Labelled, old: Labelled | undefined, says: RegExp | undefined])[] = [
    ["may be on it from the start", node(false, "true"), undefined, undefined],
    ["may be missing at first: the server adds it as it starts", node(false), undefined, undefined],
    ["may be added", node(false, "true"), node(false), undefined],
    ["cannot be taken away", node(false), node(false, "true"), /cannot be taken away.*node cordon/],
    ["has one value", node(false, "no"), node(false, "true"), /must be "true"/],
    ["has one value from the start", node(false, ""), undefined, /must be "true"/],
    ["is not for a new Node over SSH", node(true, "true"), undefined, /reached over SSH/],
    ["cannot be given to a Node over SSH", node(true, "true"), node(true), /reached over SSH/],
    ["does not stay on one that becomes a Node over SSH", node(true, "true"), node(false, "true"), /reached over SSH/],
    ["goes with the Node's change to another machine", node(true), node(false, "true"), undefined],
    ["is borne where it is already", node(true, "true"), node(true, "true"), undefined],
    ["may be taken away where it should not be", node(true), node(true, "true"), undefined],
    ["with a wrong value is borne where it is already", node(false, "no"), node(false, "no"), undefined],
  ];
  for (const [what, next, old, says] of rows) {
    it(what, () => {
      const causes = localLabelCauses(next, old);
      if (says === undefined) return assert.deepEqual(causes, []);
      assert.deepEqual(causes.map(({ field, reason }) => [field, reason]), [['metadata.labels["vendetta.dev/local"]', "FieldValueForbidden"]]);
      assert.match(causes[0]!.message, says);
    });
  }
});
