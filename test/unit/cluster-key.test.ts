import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import ssh2 from "ssh2";
import { AccessError } from "../../src/access/access.ts";
import { clusterKey } from "../../src/access/cluster-key.ts";

describe("clusterKey", () => {
  const root = mkdtempSync(join(tmpdir(), "vd-key-"));
  let dir: string;
  let count = 0;
  beforeEach(() => (dir = join(root, String(count++))));
  after(() => rmSync(root, { recursive: true, force: true }));

  it("is made once, for nobody else to read, and can be signed with", async () => {
    const { file, privateKey, authorized } = await clusterKey(dir, "abc");
    assert.deepEqual([statSync(file).mode & 0o777, statSync(dir).mode & 0o777, readdirSync(dir).sort()], [0o600, 0o700, ["id_ed25519", "id_ed25519.pub"]]);
    assert.deepEqual(authorized, { type: "ssh-ed25519", base64: authorized.base64, comment: "vendetta-abc" });
    assert.equal(readFileSync(`${file}.pub`, "utf8"), `ssh-ed25519 ${authorized.base64} vendetta-abc\n`);
    const parsed = ssh2.utils.parseKey(privateKey);
    assert.ok(!(parsed instanceof Error));
    const signature = parsed.sign(Buffer.from("x"));
    assert.equal(parsed.verify(Buffer.from("x"), signature as unknown as Buffer), true);
    assert.deepEqual(await clusterKey(dir, "abc"), { file, privateKey, authorized });
  });
  it("is the same for all who make it at once", async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => clusterKey(dir, "abc")));
    assert.equal(new Set(keys.map((each) => each.privateKey)).size, 1);
    assert.deepEqual(readdirSync(dir).sort(), ["id_ed25519", "id_ed25519.pub"]);
  });
  it("is what ssh-keygen takes for a key", { skip: existsSync("/usr/bin/ssh-keygen") ? false : "there is no ssh-keygen" }, async () => {
    const { file, authorized } = await clusterKey(dir, "abc");
    assert.equal(execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).split(" ")[1]?.trim(), authorized.base64);
  });
  it("is refused when others can read it, or when it is none", async () => {
    const { file } = await clusterKey(dir, "abc");
    chmodSync(file, 0o644);
    await assert.rejects(clusterKey(dir, "abc"), (error) => error instanceof AccessError && error.message.includes(`chmod 600 ${file}`));
    writeFileSync(file, "nonsense");
    chmodSync(file, 0o600);
    await assert.rejects(clusterKey(dir, "abc"), (error) => error instanceof AccessError && error.message.includes("is no private key"));
    assert.equal(readFileSync(file, "utf8"), "nonsense");
  });
});
