import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { systemClock as clock } from "../../src/base/system.ts";
import { installKey, removeKey } from "../../src/access/remote-key.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { Transport } from "../../src/transports/transport.ts";

const key = { type: "ssh-ed25519", base64: "AAAA", comment: "vendetta-test" };
const signal = new AbortController().signal;

describe("the cluster's key on a machine", () => {
  const local = createLocalTransport({ clock });
  let home: string;
  let machine: Transport;
  const file = () => join(home, ".ssh", "authorized_keys");
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "vendetta-"));
    machine = { ...local, run: (argv, options) => local.run(argv, { ...options, env: { HOME: home } }) };
  });
  afterEach(() => rmSync(home, { recursive: true }));
  after(() => local.close());

  it("is put where there was nothing, and leaves nothing when it is taken back", async () => {
    const put = await installKey(machine, key, signal);
    assert.deepEqual(put, { changed: true, made: { file: true, directory: true } });
    assert.equal(readFileSync(file(), "utf8"), "# made with its directory for vendetta-test\nssh-ed25519 AAAA vendetta-test\n");
    assert.equal(statSync(join(home, ".ssh")).mode & 0o777, 0o700);
    assert.equal(await removeKey(machine, key, signal), true);
    assert.ok(!existsSync(join(home, ".ssh")));
  });
  it("leaves what others have put beside it meanwhile", async () => {
    await installKey(machine, key, signal);
    writeFileSync(join(home, ".ssh", "config"), "");
    writeFileSync(file(), `ssh-rsa BBBB me\n${readFileSync(file(), "utf8")}`);
    await removeKey(machine, key, signal);
    assert.equal(readFileSync(file(), "utf8"), "ssh-rsa BBBB me\n");
    assert.ok(existsSync(join(home, ".ssh", "config")));
  });
  it("takes its file along, and not the directory that was there", async () => {
    mkdirSync(join(home, ".ssh"));
    assert.deepEqual((await installKey(machine, key, signal)).made, { file: true, directory: false });
    // Another key of the cluster is in the same file.
    await installKey(machine, { ...key, base64: "BBBB" }, signal);
    assert.equal(readFileSync(file(), "utf8"), "# made for vendetta-test\nssh-ed25519 BBBB vendetta-test\n");
    assert.equal(await removeKey(machine, { ...key, base64: "BBBB" }, signal), true);
    assert.deepEqual([existsSync(file()), existsSync(join(home, ".ssh"))], [false, true]);
  });
  it("leaves a file that somebody has written anew since, though it is empty then", async () => {
    await installKey(machine, key, signal);
    writeFileSync(file(), "ssh-ed25519 AAAA vendetta-test\n");
    await removeKey(machine, key, signal);
    assert.equal(readFileSync(file(), "utf8"), "");
  });
  it("leaves a file and a directory that were there, though empty", async () => {
    mkdirSync(join(home, ".ssh"));
    writeFileSync(file(), "");
    const put = await installKey(machine, key, signal);
    assert.deepEqual(put, { changed: true, made: { file: false, directory: false } });
    await removeKey(machine, key, signal);
    assert.equal(readFileSync(file(), "utf8"), "");
  });
  it("makes no directory where it is not, and none where it cannot be put", async () => {
    assert.equal(await removeKey(machine, key, signal), false);
    const full: Transport = { ...machine, files: { ...local.files, write: () => Promise.reject(new Error("no space left on device")) } };
    await assert.rejects(installKey(full, key, signal), /cannot put the cluster's key into .*no space left/);
    assert.ok(!existsSync(join(home, ".ssh")));
  });
});
