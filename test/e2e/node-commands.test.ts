// Test run: about 45 s.

import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Step } from "../../src/access/access.ts";
import { createMachineAccess } from "../../src/access/machine-access.ts";
import type { EngineProbe } from "../../src/access/machine-probe.ts";
import type { Node } from "../../src/api/node.ts";
import { systemClock as clock, systemRandom as random } from "../../src/base/system.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import type { ProgramResult } from "../harness/program.ts";
import { eventually } from "../harness/eventually.ts";
import { makeKey, sshdUnavailable, startSshd, type SshdOptions, type TestSshd } from "../harness/sshd.ts";

const password = "correct horse battery staple";
const fingerprintOf = (line: string) => execFileSync("ssh-keygen", ["-lf", "-"], { input: line, encoding: "utf8" }).split(" ")[1]!;
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** A machine with a home of its own, in which its sshd looks for keys. */
interface Box {
  readonly sshd: TestSshd;
  readonly keysFile: string;
  readonly target: string;
  readonly fingerprint: string;
  keys(): string;
}

describe("node add and what follows it", { timeout: 300_000, skip: sshdUnavailable() }, () => {
  const directory = mkdtempSync(join(tmpdir(), "vd-node-"));
  const boxes: Box[] = [];
  let cli: TestCli;
  let agent: ChildProcess | undefined;

  const box = async (name: string, options: SshdOptions = {}): Promise<Box> => {
    const home = join(directory, name);
    mkdirSync(home, { mode: 0o700 });
    const keysFile = join(home, ".ssh", "authorized_keys");
    const sshd = await startSshd({ authorizedKeysFile: keysFile, home, ...options });
    const made: Box = { sshd, keysFile, target: `${sshd.user}@127.0.0.1:${sshd.port}`, fingerprint: fingerprintOf(sshd.hostKey), keys: () => (existsSync(keysFile) ? readFileSync(keysFile, "utf8") : "") };
    boxes.push(made);
    return made;
  };
  const letIn = ({ keysFile }: Box, publicKeyFile: string, more = "") => {
    mkdirSync(join(keysFile, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(keysFile, `${more}${readFileSync(publicKeyFile, "utf8")}`);
  };
  const add = (target: string, args: readonly string[] = [], options: Parameters<TestCli["run"]>[1] = {}) => cli.run(["node", "add", target, ...args], options);
  const succeeded = (result: ProgramResult, stdout: string) => assert.deepEqual([result.code, result.stdout], [0, stdout], result.stderr);
  const failed = (result: ProgramResult, ...words: readonly string[]) => {
    assert.deepEqual([result.code, result.stdout], [1, ""], result.stderr);
    for (const word of words) assert.ok(result.stderr.includes(word), `"${word}" is not in: ${result.stderr}`);
  };
  const node = (name: string) => cli.json<Node>("node", name);
  const names = async () => (await cli.json<{ items: Node[] }>("nodes")).items.filter((each) => each.spec.ssh !== undefined).map((each) => each.metadata.name);

  before(async () => {
    cli = createTestCli({ SSH_AUTH_SOCK: "" });
    makeKey(join(directory, "mine"));
    mkdirSync(join(cli.home, ".ssh"), { mode: 0o700 });
    await cli.ok("server", "start");
  });
  after(async () => {
    agent?.kill();
    await cli.dispose();
    await Promise.all(boxes.map((each) => each.sshd.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  it("with a password only: each lack is told with its next step, and then the cluster's key is there", async () => {
    const one = await box("one", { password, options: ["PasswordAuthentication=yes"] });
    letIn(one, join(directory, "mine.pub"), "# kept as it is, caf\u00e9\n\n");
    writeFileSync(one.keysFile, one.keys().trimEnd());
    chmodSync(join(one.keysFile, ".."), 0o755);
    const found = one.keys();
    const wrong = `SHA256:${"A".repeat(43)}`;
    failed(await add(one.target), `--accept-host-key ${one.fingerprint}`, "host key");
    failed(await add(one.target, ["--accept-host-key", wrong]), wrong, one.fingerprint, "refused");
    failed(await add(one.target, ["--accept-host-key", "SHA256:short"]), "is no host key's fingerprint");
    failed(await add(one.target, ["--accept-host-key", one.fingerprint]), 'step "login"', "--password-stdin");
    failed(await add(one.target, ["--accept-host-key", one.fingerprint, "--password-stdin"], { stdin: "wrong\n" }), 'step "login"', "password");
    assert.deepEqual([await names(), one.keys()], [[], found]);

    const added = await add(one.target, ["--name", "one", "--accept-host-key", one.fingerprint, "--password-stdin"], { stdin: `${password}\n` });
    succeeded(added, "node.vendetta.dev/one created\n");
    assert.ok(!added.stderr.includes(password));
    for (const step of ["host key", "login", "key", "key login", "shell", "space", "clock", "docker"]) assert.match(added.stderr, new RegExp(`^[✓!] ${step} `, "m"));
    const line = one.keys().slice(found.length + 1);
    assert.match(line, /^ssh-ed25519 \S+ vendetta-[0-9a-f]{12}\n$/);
    assert.equal(one.keys(), `${found}\n${line}`);
    assert.deepEqual([modeOf(one.keysFile), modeOf(join(one.keysFile, "..")), modeOf(join(cli.home, "ssh", "id_ed25519"))], ["600", "700", "600"]);
    const { spec } = await node("one");
    assert.deepEqual(spec.ssh, { host: "127.0.0.1", port: one.sshd.port, user: one.sshd.user, hostKeys: [one.sshd.hostKey.split(" ").slice(0, 2).join(" ")] });

    const before = await node("one");
    const keys = one.keys();
    for (const args of [[], ["--name", "one"], ["--accept-host-key", one.fingerprint]]) succeeded(await add(one.target, args), "node.vendetta.dev/one unchanged\n");
    const now = await node("one");
    assert.deepEqual([now.metadata.generation, now.metadata.uid, one.keys()], [before.metadata.generation, before.metadata.uid, keys]);
    failed(await add(one.target, ["--name", "other"]), 'is Node "one" already');
    // By another name of the same machine: the Node that is there keeps its key.
    const elsewhere = one.target.replace("127.0.0.1", "localhost");
    failed(await add(elsewhere, ["--name", "other", "--accept-host-key", one.fingerprint, "--password-stdin"], { stdin: password }), 'the host key of Node "one"', "No Node was stored");
    assert.deepEqual([await names(), one.keys()], [["one"], keys]);
  });
  it("puts a key back that somebody took away", async () => {
    const one = boxes[0]!;
    const keys = one.keys();
    writeFileSync(one.keysFile, keys.split("\n").filter((line) => !line.includes("vendetta-")).join("\n"));
    succeeded(await add(one.target, ["--password-stdin"], { stdin: password }), "node.vendetta.dev/one unchanged, its key was put back\n");
    assert.equal(one.keys(), keys);
  });
  it("by a key in the agent alone, to a host that known_hosts knows", async () => {
    const two = await box("two", { options: ["PasswordAuthentication=no", "KbdInteractiveAuthentication=no"] });
    letIn(two, join(directory, "mine.pub"));
    // As people have it whose files are kept elsewhere.
    const kept = join(directory, "kept-keys");
    renameSync(two.keysFile, kept);
    symlinkSync(kept, two.keysFile);
    failed(await add(two.target, ["--accept-host-key", two.fingerprint]), 'step "login"', "ssh-copy-id");
    const socket = join(directory, "agent.sock");
    agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    await once(agent, "spawn");
    await eventually(() => void execFileSync("ssh-add", [join(directory, "mine")], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" }), 5000, 50);
    const knownHosts = join(cli.home, ".ssh", "known_hosts");
    const place = `[127.0.0.1]:${two.sshd.port}`;
    writeFileSync(knownHosts, `${place} ${boxes[0]!.sshd.hostKey}\n`);
    failed(await add(two.target, [], { env: { SSH_AUTH_SOCK: socket } }), two.fingerprint, boxes[0]!.fingerprint, "known_hosts:1");
    writeFileSync(knownHosts, `${place} ${two.sshd.hostKey}\n`);
    execFileSync("ssh-keygen", ["-H", "-f", knownHosts], { stdio: "ignore" });
    writeFileSync(join(cli.home, ".ssh", "config"), `Host two\n  HostName 127.0.0.1\n  Port ${two.sshd.port}\n  User ${two.sshd.user}\n`);
    succeeded(await add("two", [], { env: { SSH_AUTH_SOCK: socket } }), "node.vendetta.dev/two created\n");
    assert.ok(lstatSync(two.keysFile).isSymbolicLink());
    assert.match(readFileSync(kept, "utf8"), /vendetta-[0-9a-f]{12}\n$/);
  });
  it("through a jump host: both get the key, and both lose it", async () => {
    const jump = await box("jump", { options: ["LogLevel=DEBUG1"] });
    const far = await box("far");
    for (const each of [jump, far]) letIn(each, join(directory, "mine.pub"));
    const accept = [jump, far].flatMap((each) => ["--accept-host-key", each.fingerprint]);
    failed(await add(far.target, ["--jump", jump.target, "--identity", join(directory, "mine"), ...accept.slice(2)]), 'step "jump: host key"', jump.fingerprint);
    writeFileSync(join(cli.home, ".ssh", "config"), `Host far\n  HostName 127.0.0.1\n  Port ${far.sshd.port}\n  User root\n  ProxyJump ${jump.target}\nHost *\n  IdentityFile ${join(directory, "mine")}\n`);
    succeeded(await add("far", accept), "node.vendetta.dev/far created\n");
    assert.match(jump.sshd.log(), new RegExp(`127\\.0\\.0\\.1.{0,40}port ${far.sshd.port}`));
    const { spec } = await node("far");
    assert.deepEqual([spec.ssh?.jump?.port, spec.ssh?.port], [jump.sshd.port, far.sshd.port]);
    for (const each of [jump, far]) assert.match(each.keys(), /vendetta-/);
    await cli.ok("node", "remove", "far");
    for (const each of [jump, far]) assert.equal(each.keys(), readFileSync(join(directory, "mine.pub"), "utf8"));
    assert.ok(!(await names()).includes("far"));
  });
  it("through two jump hosts in a row: each shows its key, gets the cluster's, and loses it", async () => {
    const [outer, inner, far] = [await box("outer", { options: ["LogLevel=DEBUG1"] }), await box("inner", { options: ["LogLevel=DEBUG1"] }), await box("deep")];
    const all = [outer, inner, far];
    for (const each of all) letIn(each, join(directory, "mine.pub"));
    const way = ["--name", "deep", "--jump", `${outer.target},${inner.target}`, "--identity", join(directory, "mine")];
    const accept = all.map((each) => ["--accept-host-key", each.fingerprint]);
    failed(await add(far.target, [...way, ...accept[0]!, ...accept[2]!]), 'step "jump 2: host key"', inner.fingerprint);
    for (const each of all) assert.doesNotMatch(each.keys(), /vendetta-/);
    succeeded(await add(far.target, [...way, ...accept.flat()]), "node.vendetta.dev/deep created\n");
    assert.match(outer.sshd.log(), new RegExp(`127\\.0\\.0\\.1.{0,40}port ${inner.sshd.port}`));
    assert.match(inner.sshd.log(), new RegExp(`127\\.0\\.0\\.1.{0,40}port ${far.sshd.port}`));
    const { spec, status } = await node("deep");
    assert.deepEqual([spec.ssh?.jump?.jump?.port, spec.ssh?.jump?.port, spec.ssh?.port], all.map((each) => each.sshd.port));
    assert.equal(status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
    for (const each of all) assert.match(each.keys(), /vendetta-/);
    await outer.sshd.kill();
    outer.sshd.changeHostKey();
    await outer.sshd.start();
    await eventually(async () => assert.equal((await node("deep")).status?.conditions?.find(({ type }) => type === "Ready")?.reason, "HostKeyChanged"), 60_000);
    await cli.ok("node", "trust", "deep", "--accept-host-key", execFileSync("ssh-keygen", ["-lf", join(outer.sshd.directory, "host.pub")], { encoding: "utf8" }).split(" ")[1]!);
    await cli.ok("wait", "node", "deep", "--for=condition=Ready", "--timeout=60s");
    assert.equal((await node("deep")).spec.ssh?.jump?.jump?.hostKeys[0]?.split(" ")[1], outer.sshd.hostKey.split(" ")[1]);
    await cli.ok("node", "remove", "deep");
    for (const each of all) assert.equal(each.keys(), readFileSync(join(directory, "mine.pub"), "utf8"));
  });
  it("leaves nothing of its own on a machine that had no such file, when it is let go of", async () => {
    const bare = await box("bare", { password, options: ["PasswordAuthentication=yes"] });
    succeeded(await add(bare.target, ["--name", "bare", "--accept-host-key", bare.fingerprint, "--password-stdin"], { stdin: password }), "node.vendetta.dev/bare created\n");
    assert.match(bare.keys(), /^# made with its directory for (vendetta-\S+)\nssh-ed25519 \S+ \1\n$/);
    await cli.ok("node", "remove", "bare");
    assert.ok(!existsSync(join(bare.keysFile, "..")));
  });
  it("takes the key away again when the machine does not let it in", async () => {
    const deaf = await box("deaf", { authorizedKeysFile: "/nonexistent", password });
    failed(await add(deaf.target, ["--accept-host-key", deaf.fingerprint, "--password-stdin"], { stdin: password }), 'step "key login"', "AuthorizedKeysFile");
    assert.ok(!existsSync(deaf.keysFile), "an empty file does not stay, either");
    assert.ok(!(await names()).includes("127.0.0.1"));
  });
  it("a changed host key: add refuses, trust shows both and pins the new one", async () => {
    const one = boxes[0]!;
    const before = await node("one");
    await one.sshd.kill();
    one.sshd.changeHostKey();
    await one.sshd.start();
    const now = fingerprintOf(one.sshd.hostKey);
    failed(await add(one.target), one.fingerprint, now, "vendetta node trust one");
    failed(await cli.run(["node", "trust", "one"]), one.fingerprint, now, `--accept-host-key ${now}`);
    failed(await cli.run(["node", "trust", "one", "--accept-host-key", one.fingerprint]), now);
    assert.deepEqual((await node("one")).spec, before.spec);
    const trusted = await cli.run(["node", "trust", "one", "--accept-host-key", now]);
    succeeded(trusted, "node.vendetta.dev/one trusted\n");
    for (const each of [one.fingerprint, now]) assert.ok(trusted.stderr.includes(each));
    assert.deepEqual((await node("one")).spec.ssh?.hostKeys, [one.sshd.hostKey.split(" ").slice(0, 2).join(" ")]);
    succeeded(await cli.run(["node", "trust", "one"]), "node.vendetta.dev/one unchanged\n");
    succeeded(await add(one.target), "node.vendetta.dev/one unchanged\n");
  });
  it("takes the key away again when the user gives up half way", async () => {
    const half = await box("half");
    letIn(half, join(directory, "mine.pub"));
    const found = half.keys();
    const enrol = async (onStep: (step: Step) => void, signal: AbortSignal) => {
      const probeEngine: EngineProbe = () => Promise.resolve({ problem: "none" });
      const access = await createMachineAccess({ sshDir: join(cli.home, "ssh"), cluster: "000000000000", env: cli.env, clock, random, probeEngine });
      const person = { isThere: false, confirm: () => Promise.reject(new Error("asked")), secret: () => Promise.reject(new Error("asked")) };
      const machine = await access.resolve(half.target, { identity: join(directory, "mine") });
      return await access.enrol(machine, { person, acceptHostKeys: [half.fingerprint], onStep, signal });
    };
    const giveUp = new AbortController();
    const seen: string[] = [];
    const watch = ({ name, state }: Step) => {
      if (name === "key" && state === "done") seen.push(half.keys());
      if (name === "key login" && state === "running") giveUp.abort(new Error("given up"));
    };
    await assert.rejects(enrol(watch, giveUp.signal), /given up/);
    assert.match(seen[0]!, /vendetta-000000000000\n$/);
    assert.equal(half.keys(), found);

    const enrolment = await enrol(() => {}, new AbortController().signal);
    assert.deepEqual([enrolment.changed, half.keys() === seen[0]], [true, true]);
    await enrolment.undo();
    await enrolment.close();
    assert.equal(half.keys(), found);
  });
  it("a Node in use is not removed; drained and emptied it is, and its key goes", async () => {
    const one = boxes[0]!;
    const workspace = { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "far" }, spec: { provider: "host", nodeName: "one" } };
    const service = { apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: "clock" }, spec: { workspace: "far", command: ["sh", "-c", "while :; do date; sleep 1; done"] } };
    const applied = await cli.run(["apply", "-f", "-", "--wait"], { stdin: `${JSON.stringify(workspace)}\n---\n${JSON.stringify(service)}\n` });
    assert.equal(applied.code, 0, applied.stderr);
    const status = await cli.ok("node", "status", "one");
    assert.match(status, new RegExp(`^Address: +${one.target}$`, "m"));
    assert.match(status, /^far +Running +host +vendetta-/m);
    assert.equal((await cli.run(["cluster", "status", "--check"])).code, 0);
    failed(await cli.run(["node", "remove", "one"]), "far", "delete it first");
    assert.match(one.keys(), /vendetta-/);
    const drained = await cli.run(["node", "drain", "one"]);
    succeeded(drained, "node.vendetta.dev/one cordoned\nworkspace.vendetta.dev/far stopped\nnode.vendetta.dev/one drained\n");
    assert.match(drained.stderr, /starts again with .vendetta node uncordon one./);
    assert.equal((await cli.json<{ status: { phase: string } }>("workspace", "far")).status.phase, "Stopped");
    await cli.ok("delete", "service/clock", "workspace/far");
    const removed = await cli.run(["node", "remove", "one"]);
    succeeded(removed, 'node.vendetta.dev "one" deleted\n');
    assert.match(removed.stderr, /Took the cluster's key away/);
    assert.ok(!one.keys().includes("vendetta-") && one.keys().startsWith("# kept as it is, caf\u00e9\n\nssh-ed25519 "));
    assert.ok(!(await names()).includes("one"));
  });
});
