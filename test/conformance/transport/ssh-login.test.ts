import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { HostKey } from "../../../src/transports/ssh/host-key.ts";
import { SshError, type SshFailure } from "../../../src/transports/ssh/ssh-error.ts";
import type { SshOptions } from "../../../src/transports/ssh/ssh-options.ts";
import { eventually } from "../../harness/eventually.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { makeKey, sshdUnavailable, startSshd, type TestSshd } from "../../harness/sshd.ts";

const timeoutMs = 20_000;
const why = sshdUnavailable();
const password = "correct horse battery staple";

/** The first attempt's outcome. */
async function attempt(sshd: TestSshd, more: Partial<SshOptions>): Promise<string> {
  const transport = sshTo(sshd, more);
  try {
    return (await transport.run(["echo", "in"], { timeoutMs })).stdout;
  } finally {
    await transport.close();
  }
}

const refused = (failure: SshFailure, ...words: readonly (string | RegExp)[]) => (error: unknown) => {
  assert.ok(error instanceof SshError, String(error));
  assert.deepEqual([error.failure, error.mayHaveRun], [failure, false], error.message);
  for (const word of words) assert.ok(typeof word === "string" ? error.message.includes(word) : word.test(error.message), `${String(word)} is not in: ${error.message}`);
  return true;
};
const fingerprintOf = (line: string) => execFileSync("ssh-keygen", ["-lf", "-"], { input: line, encoding: "utf8" }).split(" ")[1]!;

describe("ssh: the host key", { timeout: 60_000, skip: why }, () => {
  let sshd: TestSshd;
  before(async () => {
    sshd = await startSshd({ options: ["LogLevel=DEBUG1"] });
  });
  after(() => sshd.stop());

  it("is accepted by its line, with or without a comment, and by its fingerprint", async () => {
    for (const pin of [sshd.hostKey, sshd.hostKey.split(" ").slice(0, 2).join(" "), fingerprintOf(sshd.hostKey)]) assert.equal(await attempt(sshd, { hostKeys: [pin] }), "in\n");
  });
  it("is refused when none is pinned, and tells its fingerprint", async () => {
    await assert.rejects(attempt(sshd, { hostKeys: [] }), refused("HostKeyRefused", "unknown", fingerprintOf(sshd.hostKey)));
  });
  it("is learned on purpose, and what was learned can be pinned", async () => {
    const seen: HostKey[] = [];
    assert.equal(await attempt(sshd, { hostKeys: [], onHostKey: (key) => seen.push(key) > 0 }), "in\n");
    assert.deepEqual(seen.map(({ type, fingerprint }) => [type, fingerprint]), [["ssh-ed25519", fingerprintOf(sshd.hostKey)]]);
    assert.equal(await attempt(sshd, { hostKeys: [seen[0]!.line] }), "in\n");
    await assert.rejects(attempt(sshd, { hostKeys: [], onHostKey: () => Promise.resolve(false) }), refused("HostKeyRefused"));
  });
  it("that has changed is refused before anything is said of who we are, and both are named", async () => {
    const pinned = sshd.hostKey;
    await sshd.kill();
    sshd.changeHostKey();
    await sshd.start();
    const before = sshd.log().length;
    const asked: HostKey[] = [];
    const transport = sshTo(sshd, { hostKeys: [pinned], onHostKey: (key) => asked.push(key) > 0 });
    const both = refused("HostKeyRefused", "has changed", fingerprintOf(pinned), fingerprintOf(sshd.hostKey));
    await assert.rejects(transport.run(["true"], { timeoutMs }), both);
    // What lasts is not tried again and again.
    await assert.rejects(transport.run(["true"], { timeoutMs }), both);
    assert.equal(transport.state.phase === "broken" && transport.state.failure, "HostKeyRefused");
    await eventually(() => assert.match(sshd.log().slice(before), /Connection (closed|reset)|Disconnected/), 5000, 20);
    assert.deepEqual([/userauth-request/.test(sshd.log().slice(before)), asked], [false, []]);
    assert.equal(sshd.log().slice(before).match(/Connection from/g)?.length, 1);
    assert.equal(await attempt(sshd, {}), "in\n");
    assert.match(sshd.log(), /userauth-request/);
    await transport.close();
  });
  it("that is pinned is asked for when the machine has several", async () => {
    const directory = mkdtempSync(join(tmpdir(), "vd-key-"));
    makeKey(join(directory, "rsa"), "", "rsa");
    const two = await startSshd({ options: [`HostKey=${join(directory, "rsa")}`] });
    try {
      for (const pin of [two.hostKey, readFileSync(join(directory, "rsa.pub"), "utf8")]) assert.equal(await attempt(two, { hostKeys: [pin] }), "in\n");
    } finally {
      await two.stop();
      rmSync(directory, { recursive: true });
    }
  });
  it("pinned in no known form is said to be so", async () => {
    await assert.rejects(attempt(sshd, { hostKeys: ["nonsense"] }), refused("HostKeyRefused", '"nonsense"'));
  });
});

describe("ssh: getting in", { timeout: 60_000, skip: why }, () => {
  let sshd: TestSshd;
  before(async () => {
    sshd = await startSshd({ password });
    makeKey(join(sshd.directory, "other"));
    execFileSync("cp", [sshd.keyFile, join(sshd.directory, "locked")]);
    execFileSync("ssh-keygen", ["-q", "-p", "-P", "", "-N", "open sesame", "-f", join(sshd.directory, "locked")]);
  });
  after(() => sshd.stop());
  const identity = (name: string, passphrase?: string) => ({ name, privateKey: readFileSync(join(sshd.directory, name), "utf8"), passphrase: () => Promise.resolve(passphrase) });

  it("by a key, after others that do not fit", async () => {
    assert.equal(await attempt(sshd, { credentials: { identities: [identity("other"), identity("key")] } }), "in\n");
  });
  it("by a key with a passphrase", async () => {
    assert.equal(await attempt(sshd, { credentials: { identities: [identity("locked", "open sesame")] } }), "in\n");
  });
  it("by a password, after a key that does not fit", async () => {
    assert.equal(await attempt(sshd, { credentials: { identities: [identity("other")], password: () => Promise.resolve(password) } }), "in\n");
  });
  it("by an agent", async () => {
    const socket = join(sshd.directory, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      await eventually(() => assert.ok(existsSync(socket)), 5000, 20);
      execFileSync("ssh-add", ["-q", sshd.keyFile], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
      assert.equal(await attempt(sshd, { credentials: { agentSocket: socket } }), "in\n");
    } finally {
      agent.kill();
      await once(agent, "exit");
    }
  });
  it("fails with all that was tried, and what became of it", async () => {
    const credentials = { agentSocket: "/nowhere/agent", identities: [identity("other"), identity("locked"), { name: "garbage", privateKey: "no key" }], password: () => Promise.resolve("wrong") };
    await assert.rejects(attempt(sshd, { credentials }), refused("AuthenticationFailed", /agent at \/nowhere\/agent \(.*\)/, "key other (refused)", "key locked (it is encrypted, and no passphrase was given)", "key garbage (", "password (refused)"));
    await assert.rejects(attempt(sshd, { credentials: { identities: [identity("locked", "wrong")] } }), refused("AuthenticationFailed", "the passphrase does not open it"));
    await assert.rejects(attempt(sshd, { credentials: {} }), refused("AuthenticationFailed", "there is no agent, no key and no password"));
  });
  it("never tells a password, a passphrase or a key", async () => {
    const credentials = { identities: [identity("locked", "my passphrase")], password: () => Promise.resolve("my password") };
    await assert.rejects(attempt(sshd, { credentials }), (error) => error instanceof SshError && !/my pass|BEGIN/.test(`${error.message} ${error.stack}`));
  });
  it("says that the machine does not offer what we have", async () => {
    const keysOnly = await startSshd({ options: ["PasswordAuthentication=no", "KbdInteractiveAuthentication=no"] });
    try {
      await assert.rejects(attempt(keysOnly, { credentials: { password: () => Promise.resolve(password) } }), refused("AuthenticationFailed", /does not offer it, only publickey/));
    } finally {
      await keysOnly.stop();
    }
  });
});

describe("ssh: a way there", { timeout: 60_000, skip: why }, () => {
  it("leads through another machine, which only carries it", async () => {
    const [jump, far] = await Promise.all([startSshd(), startSshd()]);
    const first = sshTo(jump);
    const transport = sshTo(far, { through: first });
    try {
      const { stdout } = await transport.run(["sh", "-c", 'echo "$SSH_CONNECTION"'], { timeoutMs });
      assert.match(stdout, new RegExp(` ${far.port}\n$`));
      await transport.files.write(join(far.directory, "by-two"), "x".repeat(1_000_000));
      assert.equal(readFileSync(join(far.directory, "by-two"), "utf8").length, 1_000_000);
      await jump.kill();
      await eventually(() => assert.deepEqual([first.state.phase, transport.state.phase], ["broken", "broken"]), 5000, 20);
      await assert.rejects(transport.run(["true"], { timeoutMs }), refused("Unreachable", "through ssh "));
      await jump.start();
      assert.equal((await transport.run(["echo", "again"], { timeoutMs })).stdout, "again\n");
    } finally {
      await transport.close();
      await first.close();
      await Promise.all([jump.stop(), far.stop()]);
    }
  });
  it("that leads to no sshd, or to one that says nothing, is told", async () => {
    const silent = createServer((socket) => void socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
    const other = createServer((socket) => void socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
    await Promise.all([once(silent, "listening"), once(other, "listening")]);
    const to = (server: typeof silent) => attemptAt((server.address() as AddressInfo).port);
    const attemptAt = async (port: number) => {
      const sshd = { port, user: "dev", hostKey: "", keyFile: "none", privateKey: "" } as TestSshd;
      return await attempt(sshd, { hostKeys: [], credentials: {}, handshakeMsMax: 500 });
    };
    await assert.rejects(to(silent), refused("Unreachable", "500 ms"));
    await assert.rejects(to(other), refused("HandshakeFailed"));
    const { port } = silent.address() as AddressInfo;
    silent.close();
    other.close();
    await once(silent, "close");
    await assert.rejects(attemptAt(port), refused("Unreachable", "connection refused"));
  });
});
