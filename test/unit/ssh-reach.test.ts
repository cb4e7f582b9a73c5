import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hopsOf, type JumpReach } from "../../src/api/ssh-reach.ts";
import { StatusError } from "../../src/api/status-error.ts";
import { parseObject } from "../../src/api/validate.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOEropujO9HYguIzJtVbRbpQrztwCTmtQRvFnn+9KiB9";
const reach = { host: "10.0.0.5", user: "dev", hostKeys: [key] };
const node = (spec: object) => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name: "n1" }, spec });

/** spec, and then each thing that is said: field path, message. */
const refused: readonly (readonly [name: string, spec: object, ...said: (readonly [field: string, message: RegExp])[]])[] = [
  ["neither", {}, ["spec", /must say how the machine is reached: spec\.local .* or spec\.ssh/]],
  ["both", { local: {}, ssh: reach }, ["spec.ssh", /must not be given together with spec\.local/]],
  ["no user, no keys", { ssh: { host: "a" } }, ["spec.ssh.user", /is required/], ["spec.ssh.hostKeys", /is required/]],
  ["no key", { ssh: { ...reach, hostKeys: [] } }, ["spec.ssh.hostKeys", /at least one/]],
  ["a fingerprint for a key", { ssh: { ...reach, hostKeys: [key, "SHA256:abc"] } }, ["spec.ssh.hostKeys[1]", /must be an OpenSSH public key line/]],
  ["a key of another type than it says", { ssh: { ...reach, hostKeys: [key.replace("ssh-ed25519", "ssh-rsa")] } }, ["spec.ssh.hostKeys[0]", /must be an OpenSSH public key line/]],
  ["two lines in one", { ssh: { ...reach, hostKeys: [`${key}\n${key}`] } }, ["spec.ssh.hostKeys[0]", /must be an OpenSSH public key line/]],
  ["a port that is none", { ssh: { ...reach, port: 0 } }, ["spec.ssh.port", /between 1 and 65535/]],
  ["a host with an option in it", { ssh: { ...reach, host: "-oProxyCommand=x" } }, ["spec.ssh.host", /host name or an IP address/]],
  ["a host in brackets", { ssh: { ...reach, host: "[::1]" } }, ["spec.ssh.host", /without brackets/]],
  ["a user with a host", { ssh: { ...reach, user: "dev@b" } }, ["spec.ssh.user", /must be a user's name/]],
  ["a relative key file", { ssh: { ...reach, identityFile: "~/.ssh/id" } }, ["spec.ssh.identityFile", /must be an absolute path/]],
  ["a jump without keys", { ssh: { ...reach, jump: { host: "gate", user: "dev" } } }, ["spec.ssh.jump.hostKeys", /is required/]],
  ["a jump with an identity", { ssh: { ...reach, jump: { ...reach, identityFile: "/k" } } }, ["spec.ssh.jump.identityFile", /unknown field/]],
  ["a jump behind a jump without keys", { ssh: { ...reach, jump: { ...reach, jump: { host: "gate", user: "dev" } } } }, ["spec.ssh.jump.jump.hostKeys", /is required/]],
  ["more jumps than four", { ssh: [1, 2, 3, 4, 5].reduce<object>((jump) => ({ ...reach, jump }), reach) }, ["spec.ssh.jump.jump.jump.jump.jump", /unknown field/]],
  ["a misspelt field", { ssh: { ...reach, hostkeys: [key] } }, ["spec.ssh.hostkeys", /did you mean "hostKeys"/]],
];

describe("a Node's spec.ssh", () => {
  for (const [name, spec, ...said] of refused)
    test(`is refused: ${name}`, () => {
      assert.throws(() => parseObject("Node", node(spec)), (error) => {
        assert.ok(error instanceof StatusError && error.reason === "Invalid");
        const causes = error.details?.causes ?? [];
        assert.deepEqual(causes.map(({ field }) => field).toSorted(), said.map(([field]) => field).toSorted());
        for (const [field, message] of said) assert.match(causes.find((each) => each.field === field)!.message, message);
        return true;
      });
    });
  for (const [name, ssh] of [
    ["an IPv6 address", { ...reach, host: "fe80::1%eth0" }],
    ["a key with a comment", { ...reach, hostKeys: [`${key} root@machine`] }],
    ["a jump host and a key file", { ...reach, host: "inner.example", jump: { host: "gate", port: 2222, user: "j", hostKeys: [key] }, identityFile: "/home/dev/.ssh/id_ed25519" }],
  ] as const)
    test(`is taken: ${name}`, () => {
      assert.equal(parseObject("Node", node({ ssh })).body.spec.ssh?.host, ssh.host);
    });
  test("goes to port 22 when it names none, and so does its jump host", () => {
    const { ssh } = parseObject("Node", node({ ssh: { ...reach, jump: reach } })).body.spec;
    assert.deepEqual([ssh?.port, ssh?.jump?.port], [22, 22]);
    const { ssh: far } = parseObject("Node", node({ ssh: { ...reach, jump: { ...reach, port: 23, jump: reach } } })).body.spec;
    assert.deepEqual(hopsOf<JumpReach>(far!).map(({ port }) => port), [22, 23, 22]);
  });
});
