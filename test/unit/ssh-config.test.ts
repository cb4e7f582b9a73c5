import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { hopsOf } from "../../src/api/ssh-reach.ts";
import { AccessError } from "../../src/access/access.ts";
import { readSshConfig, resolveMachine, usualKeys } from "../../src/access/ssh-config.ts";
import { parseSshTarget } from "../../src/access/ssh-target.ts";

const user = { home: "/home/me", name: "me", agentSocket: "/run/agent" };
const resolve = (target: string, config = "", options: Parameters<typeof resolveMachine>[4] = {}, usual: readonly string[] = []) => resolveMachine(target, config, user, usual, options);
const refused = (words: RegExp) => (error: unknown) => error instanceof AccessError && words.test(error.message);

describe("parseSshTarget", () => {
  const rows: readonly (readonly [string, string | undefined, string, number | undefined])[] = [
    ["box", undefined, "box", undefined],
    ["dev@10.0.0.5", "dev", "10.0.0.5", undefined],
    ["dev@box:2222", "dev", "box", 2222],
    ["dev@[2001:db8::1]:2222", "dev", "2001:db8::1", 2222],
    ["2001:db8::1", undefined, "2001:db8::1", undefined],
    ["ssh://dev@box:22/", "dev", "box", 22],
  ];
  for (const [text, name, host, port] of rows) it(`reads ${text}`, () => assert.deepEqual(parseSshTarget(text), { user: name, host, port }));
  for (const text of ["", "dev@", "@box", "box:", "box:x", "box:0", "box:65536", "-oProxyCommand=x", "a b", "dev@-x", "-l@box", "box;id", "a:b:c"]) {
    it(`refuses "${text}"`, () => assert.throws(() => parseSshTarget(text), AccessError));
  }
});

describe("resolveMachine", () => {
  const config = `
Host box *.lab
  HostName %h.example.com
  User builder
  Port 2200
  IdentityFile ~/.ssh/lab_%r
Host through
  ProxyJump jumper@gate:2222
Host gate
  HostName gate.example.com
Host twice
  ProxyJump through
Host chain
  ProxyJump a,b
Host a
  ProxyJump gate
Host b
  ProxyJump nowhere
Host round
  ProxyJump about
Host about
  ProxyJump round
Host command
  ProxyCommand nc %h %p
Host direct
  ProxyJump none
  IdentityAgent none
Match exec "touch /tmp/never"
  User never
Host *
  User everybody
`;
  it("takes what is typed before what is configured, and the user's own name last", () => {
    assert.deepEqual(resolve("box", config), { alias: "box", host: "box.example.com", port: 2200, user: "builder", identityFiles: ["/home/me/.ssh/lab_builder"], agentSocket: "/run/agent" });
    const typed = resolve("dev@box:1022", config);
    assert.deepEqual([typed.user, typed.port, typed.host], ["dev", 1022, "box.example.com"]);
    assert.equal(resolve("elsewhere", config).user, "everybody");
    assert.deepEqual(resolve("elsewhere"), { alias: "elsewhere", host: "elsewhere", port: 22, user: "me", identityFiles: [], agentSocket: "/run/agent" });
  });
  it("finds the machine to go through, which --jump is stronger than", () => {
    const { jump } = resolve("through", config);
    assert.deepEqual([jump?.alias, jump?.host, jump?.port, jump?.user], ["gate", "gate.example.com", 2222, "jumper"]);
    assert.equal(resolve("through", config, { jump: "other" }).jump?.host, "other");
    assert.equal(resolve("direct", config).jump, undefined);
    assert.equal(resolve("direct", config).agentSocket, undefined);
  });
  it("goes through several in a row: a list in its order, and what the configuration has before the first of them", () => {
    const ways = ["twice", "chain"].map((target) => hopsOf(resolve(target, config)).map(({ alias }) => alias));
    assert.deepEqual(ways, [["gate", "through", "twice"], ["gate", "a", "b", "chain"]]);
    assert.deepEqual(hopsOf(resolve("chain", config, { jump: "x, y@z:2022" })).map(({ host, user, port }) => `${user}@${host}:${port}`), ["everybody@x:22", "y@z:2022", "everybody@chain:22"]);
  });
  it("runs nothing that a configuration names", () => {
    const trap = mkdtempSync(join(tmpdir(), "vd-path-"));
    const path = process.env["PATH"];
    try {
      writeFileSync(join(trap, "nslookup"), `#!/bin/sh\n: >${join(trap, "ran")}\n`, { mode: 0o755 });
      process.env["PATH"] = `${trap}:${path}`;
      const canonical = "Host *\n  CanonicalizeHostName yes\n  CanonicalDomains example.com example.org\n";
      assert.equal(resolve("box", canonical).host, "box");
      resolve("box", `Match exec "touch ${join(trap, "ran")}"\n  User never\n`);
      assert.deepEqual(readdirSync(trap), ["nslookup"]);
    } finally {
      process.env["PATH"] = path;
      rmSync(trap, { recursive: true });
    }
  });
  it("says what it cannot do", () => {
    assert.throws(() => resolve("round", config), refused(/more than 4 machines, or through one that is reached through itself/));
    assert.throws(() => resolve("box", config, { jump: "a,,b" }), refused(/a machine is missing between commas/));
    assert.throws(() => resolve("command", config), refused(/ProxyCommand, which is not run here/));
    assert.throws(() => resolve("x", "Host x\n  Port many\n"), refused(/port "many"/));
  });
  it("tries a few keys: configured ones before the usual, each once", () => {
    const usual = ["/home/me/.ssh/id_ed25519", "/home/me/.ssh/lab_builder", "/a", "/b", "/c"];
    assert.deepEqual(resolve("box", config, {}, usual).identityFiles, ["/home/me/.ssh/lab_builder", "/home/me/.ssh/id_ed25519", "/a", "/b"]);
    assert.equal(resolve("box", config, { identity: "/mine" }, usual).identity, "/mine");
  });
});

describe("readSshConfig", () => {
  const home = mkdtempSync(join(tmpdir(), "vd-config-"));
  after(() => rmSync(home, { recursive: true, force: true }));
  it("is empty where there is none, and follows Include", async () => {
    const found = async (target: string) => resolveMachine(target, await readSshConfig(home), { ...user, home }, await usualKeys(home));
    assert.deepEqual([(await found("box")).user, await usualKeys(home)], ["me", []]);
    mkdirSync(join(home, ".ssh", "conf.d"), { recursive: true });
    writeFileSync(join(home, ".ssh", "config"), "Include conf.d/*.conf\nHost box\n  Port 22\n  User late\n");
    writeFileSync(join(home, ".ssh", "conf.d", "a.conf"), "Host box\n  User included\n");
    writeFileSync(join(home, ".ssh", "conf.d", "b.txt"), "Host box\n  HostName never\n");
    for (const name of ["id_rsa", "id_ed25519", "id_ed25519.pub", "id_work", "known_hosts"]) writeFileSync(join(home, ".ssh", name), "");
    const box = await found("box");
    assert.deepEqual([box.user, box.host], ["included", "box"]);
    assert.deepEqual((await usualKeys(home)).map((each) => each.slice(home.length)), ["/.ssh/id_ed25519", "/.ssh/id_work", "/.ssh/id_rsa"]);
  });
});
