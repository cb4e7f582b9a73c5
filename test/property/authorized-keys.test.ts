import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hasKey, madeForKey, withKey, withoutKey } from "../../src/access/authorized-keys.ts";
import { check } from "./check.ts";

const key = { type: "ssh-ed25519", base64: "AAAAC3Nz", comment: "vendetta-0123456789ab" };
const older = { ...key, base64: "AAAAOLD" };
/** Lines as people and programs leave them, odd bytes and ends included. */
const strangers = fc.array(fc.oneof(fc.constantFrom("", "# a comment", "ssh-rsa AAAAB3 me@here", 'from="10.0.0.0/8",no-pty ssh-ed25519 AAAAX other', "ssh-ed25519 AAAAC3NzX vendetta-fedcba987654", "\t ", "#ssh-ed25519 AAAAC3Nz vendetta-0123456789ab"), fc.string({ maxLength: 30 }).map((text) => `# ${text.replaceAll("\n", " ")}\u00e9`)), { maxLength: 6 });
const files = fc.tuple(strangers, fc.constantFrom("\n", "\r\n"), fc.boolean()).map(([lines, end, isEnded]) => lines.join(end) + (isEnded && lines.length > 0 ? end : ""));

describe("authorized_keys", () => {
  it("has the key once after it was put there, and again and again changes nothing", () =>
    check(fc.property(files, (text) => {
      const once = withKey(text, key);
      assert.ok(hasKey(once, key) && !hasKey(text, key));
      assert.equal(withKey(once, key), once);
      assert.equal(once, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}ssh-ed25519 AAAAC3Nz vendetta-0123456789ab\n`);
    })));
  it("is as it was after the key was taken away, but for the last line's end", () =>
    check(fc.property(files, (text) => {
      assert.equal(withoutKey(text, key), text);
      assert.equal(withoutKey(withKey(text, key), key), text === "" || text.endsWith("\n") ? text : `${text}\n`);
    })));
  it("keeps one line of the cluster when its key was made anew", () =>
    check(fc.property(files, (text) => {
      assert.equal(withKey(withKey(text, older), key), withKey(text, key));
      assert.equal(withoutKey(withKey(text, older), key), withoutKey(withKey(text, key), key));
    })));
  it("tells what was made for the key, and nothing of it is left when it is taken away", () =>
    check(fc.property(files, fc.boolean(), (text, directory) => {
      const made = { file: true, directory };
      const once = withKey("", key, made) + text;
      assert.deepEqual([madeForKey(once, key), madeForKey(text, key).file], [made, false]);
      assert.equal(withoutKey(once, key), text);
      assert.equal(madeForKey(once, { ...key, comment: "vendetta-other" }).file, false);
    })));
  it("takes a key with options and another comment for the key", () => {
    const line = 'from="10.0.0.1",no-pty ssh-ed25519 AAAAC3Nz renamed\n';
    assert.deepEqual([hasKey(line, key), withKey(line, key), withoutKey(line, key)], [true, line, ""]);
  });
});
