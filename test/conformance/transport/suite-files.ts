import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TransportError } from "../../../src/transports/transport.ts";
import type { TransportTest } from "./place.ts";

const failsWith = (code: string, path: string) => (error: unknown) => error instanceof TransportError && (error.cause as { code?: string } | undefined)?.code === code && error.message.includes(path);
const modeOf = (path: string) => statSync(path).mode & 0o7777;

export function fileCases(test: TransportTest): void {
  test("written are read back byte for byte, whatever their name", async ({ transport: { files }, directory }) => {
    const data = randomBytes(3_000_000);
    const path = join(directory, "it's a $HOME ünïcödé\tfile");
    await files.write(path, data);
    assert.ok(data.equals(await files.read(path, 3_000_000)));
    assert.ok(data.equals(readFileSync(path)));
    await files.write(path, "");
    assert.equal((await files.read(path, 0)).length, 0);
  });
  test("written have a mode, and parents that only we can read", async ({ transport: { files }, directory }) => {
    const path = join(directory, "deep", "er", "file");
    await files.write(path, "text");
    assert.deepEqual([modeOf(path), modeOf(join(directory, "deep")), modeOf(join(directory, "deep", "er"))], [0o600, 0o700, 0o700]);
    await files.write(path, "more", 0o755);
    assert.deepEqual([modeOf(path), readFileSync(path, "utf8")], [0o755, "more"]);
  });
  test("are replaced whole: no reader sees a half, and nothing is left beside them", async ({ transport: { files }, directory }) => {
    const folder = join(directory, "replaced");
    const path = join(folder, "file");
    await files.write(path, "a".repeat(100_000));
    const seen = new Set<string>();
    let writing = true;
    const read = (async () => {
      while (writing) {
        const text = Buffer.from(await files.read(path, 200_000)).toString();
        seen.add(`${text.length} ${text[0]}${text.at(-1)}`);
      }
    })();
    for (const letter of "bcdefgh") await files.write(path, letter.repeat(100_000));
    writing = false;
    await read;
    for (const each of seen) assert.match(each, /^100000 (.)\1$/);
    assert.deepEqual(readdirSync(folder), ["file"]);
  });
  test("that cannot be written leave what was there", async ({ transport: { files }, directory }) => {
    mkdirSync(join(directory, "taken"));
    writeFileSync(join(directory, "taken", "inside"), "kept");
    await assert.rejects(files.write(join(directory, "taken"), "text"), TransportError);
    assert.deepEqual([readdirSync(join(directory, "taken")), readdirSync(directory).filter((name) => name.startsWith("taken"))], [["inside"], ["taken"]]);
    await assert.rejects(files.write(join(directory, "taken", "inside", "x"), "text"), TransportError);
  });
  test("too big to read are refused, not cut", async ({ transport: { files }, directory }) => {
    const path = join(directory, "big");
    await files.write(path, "x".repeat(1001));
    await assert.rejects(files.read(path, 1000), /more than 1000/);
    assert.equal((await files.read(path, 1001)).length, 1001);
    await assert.rejects(files.read("/dev/zero", 100_000), /more than 100000/);
  });
  test("that say they are empty are read to their end", async ({ transport: { files } }) => {
    assert.match(Buffer.from(await files.read("/proc/meminfo", 100_000)).toString(), /MemTotal/);
  });
  test("that are absent are ENOENT to read, and an empty list", async ({ transport: { files }, directory }) => {
    const path = join(directory, "absent");
    await assert.rejects(files.read(path, 10), failsWith("ENOENT", path));
    assert.deepEqual(await files.list(path), []);
    await files.remove(path);
  });
  test("are listed sorted, with the hidden ones", async ({ transport: { files }, directory }) => {
    const folder = join(directory, "listed");
    for (const name of ["b", "a", ".hidden", "c\nd"]) await files.write(join(folder, name), "");
    assert.deepEqual(await files.list(folder), [".hidden", "a", "b", "c\nd"]);
  });
  test("have directories made with parents, once or again", async ({ transport: { files }, directory }) => {
    const folder = join(directory, "m", "n");
    await files.mkdir(folder, 0o750);
    await files.mkdir(folder);
    assert.deepEqual([modeOf(folder), statSync(folder).isDirectory()], [0o750, true]);
  });
  test("are removed as trees; what a link points to stays", async ({ transport: { files }, directory }) => {
    const kept = join(directory, "kept");
    mkdirSync(kept);
    writeFileSync(join(kept, "file"), "");
    const tree = join(directory, "tree");
    await files.write(join(tree, "a", "b"), "");
    symlinkSync(kept, join(tree, "a", "link"));
    await files.remove(tree);
    symlinkSync(kept, join(directory, "link"));
    await files.remove(join(directory, "link"));
    assert.deepEqual([existsSync(tree), existsSync(join(directory, "link")), existsSync(join(kept, "file"))], [false, false, true]);
  });
}
