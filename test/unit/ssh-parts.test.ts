import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { codeOfText, dialError } from "../../src/transports/ssh/dial-error.ts";
import { createHandshakeGate } from "../../src/transports/ssh/handshake-gate.ts";
import { algorithmsFor, fingerprintOfPin, hostKeyOf, refusalOf } from "../../src/transports/ssh/host-key.ts";
import { parseRelay } from "../../src/transports/ssh/relay-script.ts";
import { bootstrap, commandScript, parseStart, preamble } from "../../src/transports/ssh/remote-script.ts";
import { nameOfMachine } from "../../src/transports/ssh/ssh-options.ts";
import { isListenedOn } from "../../src/transports/ssh/ssh-ports.ts";

/** Made by ssh-keygen, whose own fingerprint of it is below. */
const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKVC0mSsAiRfx9yqVYbPCFaDSeqIkIUqKRxHvO1nEDGi";
const blob = Buffer.from(line.split(" ")[1]!, "base64");

describe("host keys", () => {
  const key = hostKeyOf(blob);
  it("have the line that they came from, and are pinned by it or by their fingerprint", () => {
    assert.deepEqual([key.type, key.line], ["ssh-ed25519", line]);
    for (const pin of [line, `${line} root@box`, ` ${line}\n`, key.fingerprint, `${key.fingerprint}=`]) assert.equal(fingerprintOfPin(pin), key.fingerprint);
  });
  it("are refused with both names", () => {
    const other = `SHA256:${"A".repeat(43)}`;
    assert.equal(refusalOf(key, [other, line]), undefined);
    assert.match(refusalOf(key, [other])!, new RegExp(`changed.*${key.fingerprint.replace(/[+/]/g, "\\$&")}.*${other}`));
    assert.match(refusalOf(key, [])!, /unknown/);
  });
  for (const pin of ["", "SHA256:short", "ssh-rsa", "ssh-rsa !!!", `ssh-rsa ${line.split(" ")[1]}`, "MD5:aa:bb"]) it(`"${pin.slice(0, 20)}" is no pin`, () => assert.throws(() => fingerprintOfPin(pin), RangeError));
  it("that are not whole are refused", () => {
    for (const bad of [Buffer.alloc(0), Buffer.alloc(3), Buffer.from([0, 0, 0, 9, 1]), Buffer.from([255, 255, 255, 255, 1])]) assert.throws(() => hostKeyOf(bad), RangeError);
  });
  it("of the pinned type are asked for first, and never by SHA-1", () => {
    assert.deepEqual(algorithmsFor(["ssh-rsa AAAA"]).slice(0, 3), ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
    assert.equal(algorithmsFor([key.fingerprint])[0], "ssh-ed25519");
    assert.deepEqual(algorithmsFor(["ecdsa-sha2-nistp256 AAAA"]).toSorted(), algorithmsFor([]).toSorted());
    assert.ok(!algorithmsFor(["ssh-rsa AAAA"]).includes("ssh-rsa" as never));
  });
});

describe("the handshake gate", () => {
  it("lets three at once to one machine, in order, and none wait for another machine", async () => {
    const gate = createHandshakeGate();
    const { signal } = new AbortController();
    const inside: number[] = [];
    const entered = [1, 2, 3, 4, 5].map(async (n) => {
      const turn = await gate.enter("box:22", signal);
      inside.push(n);
      return turn;
    });
    await gate.enter("other:22", signal);
    assert.deepEqual(inside, [1, 2, 3]);
    const first = await entered[0]!;
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await entered[3]!;
    assert.deepEqual(inside, [1, 2, 3, 4]);
  });
  it("lets go who gives up", async () => {
    const gate = createHandshakeGate();
    const abort = new AbortController();
    const turns = await Promise.all([1, 2, 3].map(() => gate.enter("box:22", abort.signal)));
    const waiting = assert.rejects(gate.enter("box:22", abort.signal), /enough/);
    abort.abort(new Error("enough"));
    await waiting;
    await assert.rejects(gate.enter("box:22", abort.signal), /enough/);
    turns[0]![Symbol.dispose]();
    assert.ok(await gate.enter("box:22", new AbortController().signal));
  });
});

describe("what travels", () => {
  it("is started by a line that every shell reads alike", () => {
    const [, inside] = /'(.*)'/.exec(bootstrap)!;
    assert.doesNotMatch(inside!, /['\\\n!]/);
  });
  it("is one line, whatever it holds", () => {
    const script = commandScript({ argv: ["a\nb", "'"], cwd: "/x\ny", env: { A: "1\n2" }, tty: true, nonce: "n0", keeperDir: "/tmp/k" });
    assert.ok(!script.includes("\n") && !preamble.includes("\n"));
  });
  it("refuses what no variable and no argument can hold", () => {
    const base = { argv: ["x"], cwd: undefined, env: {}, tty: false, nonce: "n0", keeperDir: undefined };
    for (const env of [{ "a.b": "" }, { "": "" }, { "a=b": "" }, { "1a": "" }, { "a;id": "" }]) assert.throws(() => commandScript({ ...base, env: env as Record<string, string> }), /environment variable/);
    assert.throws(() => commandScript({ ...base, argv: ["a\0b"] }), /NUL/);
    assert.throws(() => commandScript({ ...base, env: { A: "\0" } }), /NUL/);
  });
  it("says that it begins, after whatever else was said and before the rest", () => {
    const parse = (text: string) => parseStart(Buffer.from(text), "n0nce");
    assert.equal(parse("Welcome; n0nc"), undefined);
    assert.equal(parse("Welcome\nn0nce+12 34"), undefined);
    assert.deepEqual(parse("Welcome;\nn0nce+12 34;rest;"), { started: { pid: 12, startTime: "34" }, rest: Buffer.from("rest;") });
    assert.deepEqual(parse("n0nce+7 -;"), { started: { pid: 7, startTime: "-" }, rest: Buffer.from("") });
    assert.deepEqual(parse("n0nce!program;")?.started, "program");
  });
});

describe("what a machine says", () => {
  for (const [said, code] of [["Connection refused", "ECONNREFUSED"], ["No route to host", "EHOSTUNREACH"], ["Connection timed out", "ETIMEDOUT"], ["Name or service not known", "ENOTFOUND"], ["Network is unreachable", "ENETUNREACH"], ["open failed", undefined]] as const) it(`"${said}" is ${code}`, () => assert.equal(codeOfText(said), code));
  it("becomes an error with a code that never ran", () => {
    const error = dialError({ host: "db", port: 5432 }, "dev@box", "ECONNREFUSED");
    assert.deepEqual([error.message, error.mayHaveRun, (error.cause as { code: string }).code], ["cannot connect to db:5432 from dev@box: connection refused", false, "ECONNREFUSED"]);
  });
  it("of a relay is heard in pieces", () => {
    assert.deepEqual(["", "+", "+;", "noise\n+;", "!ENOENT", "!ENOENT;"].map((said) => parseRelay(said)), [undefined, undefined, {}, {}, undefined, { code: "ENOENT" }]);
  });
  it("of its ports is read from the kernel's table", () => {
    const row = (local: string, state: string) => `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1`;
    const header = "  sl  local_address rem_address   st tx_queue";
    const v6 = "00000000000000000000000000000000";
    for (const [local, state, expected] of [["0100007F:1F90", "0A", true], ["00000000:1F90", "0A", true], [`${v6}:1F90`, "0A", true], ["0000000000000000FFFF00000100007F:1F90", "0A", true], ["0100007F:1F90", "01", false], ["0100007F:1F91", "0A", false], ["0A00000A:1F90", "0A", false]] as const) assert.equal(isListenedOn(`${header}\n${row(local, state)}\n`, 8080), expected, `${local} ${state}`);
  });
  it("is told with its name, its port when it is not 22", () => {
    assert.deepEqual([{ user: "dev", host: "box" }, { user: "dev", host: "box", port: 2222 }, { user: "dev", host: "::1", port: 22 }].map(nameOfMachine), ["dev@box", "dev@box:2222", "dev@[::1]"]);
  });
});
