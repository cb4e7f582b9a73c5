import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { judgeHostKey, type HostKeyKnowledge } from "../../src/access/host-keys.ts";
import { parseKnownHosts } from "../../src/access/known-hosts.ts";
import { skewOf } from "../../src/access/machine-probe.ts";
import { hostKeyOf } from "../../src/transports/ssh/host-key.ts";

const keyOf = (fill: number) => hostKeyOf(Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, fill)]));
const [shown, other] = [keyOf(1), keyOf(2)];

describe("parseKnownHosts", () => {
  const salt = Buffer.alloc(20, 7);
  const hashed = (name: string) => `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
  const found = (names: string, host: string, port = 22) => parseKnownHosts(`# comment\n\n${names} ${shown.line} me@here\n`, "known_hosts", host, port).length === 1;
  const rows: readonly (readonly [names: string, host: string, port: number, isFound: boolean])[] = [
    ["box", "box", 22, true],
    ["box", "Box", 22, true],
    ["box", "box", 2222, false],
    ["[box]:2222", "box", 2222, true],
    ["[box]:2222", "box", 22, false],
    ["box,10.0.0.5", "10.0.0.5", 22, true],
    ["*.lab", "a.lab", 22, true],
    ["*.lab,!bad.lab", "bad.lab", 22, false],
    ["10.0.0.?", "10.0.0.5", 22, true],
    ["a.b", "axb", 22, false],
    [hashed("box"), "box", 22, true],
    [hashed("[box]:2222"), "box", 2222, true],
    [hashed("box"), "other", 22, false],
    ["@cert-authority *", "box", 22, false],
  ];
  for (const [names, host, port, isFound] of rows) it(`${names.slice(0, 20)} ${isFound ? "speaks" : "does not speak"} of ${host}:${port}`, () => assert.equal(found(names, host, port), isFound));
  it("knows where it read it, and what is revoked", () => {
    assert.deepEqual(parseKnownHosts(`x ${other.line}\n@revoked box ${shown.line}\n`, "file", "box", 22), [{ line: shown.line, revoked: true, where: "file:2" }]);
  });
});

describe("judgeHostKey", () => {
  const known = (line: string, revoked = false) => ({ line, revoked, where: "known_hosts:1" });
  const nothing: HostKeyKnowledge = { accepted: [], known: [] };
  const rows: readonly (readonly [what: string, knowledge: HostKeyKnowledge, kind: string, words: readonly string[]])[] = [
    ["nothing is known", nothing, "unknown", []],
    ["the user vouches for it", { ...nothing, accepted: [other.fingerprint, shown.fingerprint] }, "accepted", ["as accepted"]],
    ["the user vouches for another", { ...nothing, accepted: [other.fingerprint] }, "refused", [shown.fingerprint, other.fingerprint, "ssh_host_ed25519_key"]],
    ["known_hosts has it", { ...nothing, known: [known(other.line), known(shown.line)] }, "accepted", ["known_hosts:1"]],
    ["known_hosts has it, and the user vouches for another machine's", { accepted: [other.fingerprint], known: [known(shown.line)] }, "accepted", ["known_hosts:1"]],
    ["known_hosts has another", { ...nothing, known: [known(other.line)] }, "refused", [shown.fingerprint, other.fingerprint, "known_hosts:1", "ssh-keygen -R"]],
    ["known_hosts has another, and the user vouches for it", { accepted: [shown.fingerprint], known: [known(other.line)] }, "accepted", ["as accepted"]],
    ["it is revoked", { accepted: [shown.fingerprint], known: [known(shown.line, true)] }, "refused", ["@revoked"]],
    ["only another is revoked", { ...nothing, known: [known(other.line, true)] }, "unknown", []],
    ["it is pinned", { ...nothing, pinned: [other.line, shown.line] }, "accepted", ["as pinned"]],
    ["another is pinned, whatever else speaks for it", { pinned: [other.line], accepted: [shown.fingerprint], known: [known(shown.line)] }, "refused", [shown.fingerprint, other.fingerprint]],
  ];
  for (const [what, knowledge, kind, words] of rows) {
    it(`${kind} when ${what}`, () => {
      const verdict = judgeHostKey(shown, knowledge);
      const said = verdict.kind === "accepted" ? verdict.text : verdict.kind === "refused" ? verdict.message : "";
      assert.equal(verdict.kind, kind, said);
      for (const word of words) assert.ok(said.includes(word), said);
    });
  }
});

describe("skewOf", () => {
  const rows: readonly (readonly [theirs: number, begun: number, ended: number, skew: number])[] = [
    [100, 100_000, 100_200, 0],
    [100, 100_900, 101_100, 0],
    [100, 99_900, 100_100, 0],
    [95, 100_000, 100_100, -4],
    [110, 100_000, 100_100, 9],
    [101, 100_000, 100_900, 0],
    [102, 100_000, 100_900, 1],
  ];
  for (const [theirs, begun, ended, skew] of rows) it(`is ${skew} for ${theirs} s between ${begun} and ${ended} ms`, () => assert.equal(skewOf(theirs, begun, ended), skew));
});
