import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoredObject } from "../../src/api/meta.ts";
import { createEventLines } from "../../src/server/event-lines.ts";
import { eventsOf, room, testApp, workspace } from "./server-harness.ts";

/** An object that counts how often it was made JSON of. */
function counted(text: string): { readonly object: StoredObject; times(): number } {
  let times = 0;
  const object = { toJSON: () => (times++, { text }) } as unknown as StoredObject;
  return { object, times: () => times };
}
const textOf = (line: Uint8Array) => new TextDecoder().decode(line);

describe("the lines of watches", () => {
  it("are made once for all who ask, for each type of its own", () => {
    const lines = createEventLines();
    const { object, times } = counted("ü");
    const first = lines.of("MODIFIED", object);
    assert.equal(textOf(first), '{"type":"MODIFIED","object":{"text":"ü"}}\n');
    assert.equal(lines.of("MODIFIED", object), first);
    assert.equal(times(), 1);
    assert.equal(textOf(lines.of("ADDED", object)), '{"type":"ADDED","object":{"text":"ü"}}\n');
    assert.equal(lines.of("MODIFIED", object), first);
    assert.equal(times(), 2);
  });

  it("are dropped beyond the bound, the oldest first, and made anew for who comes late", () => {
    const lines = createEventLines(3 * 200);
    const [a, b, c, huge] = ["a", "b", "c", "d".repeat(1000)].map((text) => counted(text.padEnd(50, text))) as [ReturnType<typeof counted>, ReturnType<typeof counted>, ReturnType<typeof counted>, ReturnType<typeof counted>];
    for (const { object } of [a, b, c]) lines.of("ADDED", object);
    lines.of("ADDED", c.object);
    lines.of("ADDED", b.object);
    assert.deepEqual([a.times(), b.times(), c.times()], [1, 1, 1]);
    lines.of("ADDED", a.object);
    assert.deepEqual([a.times(), b.times(), c.times()], [2, 1, 1]);
    // One that is larger than the bound is answered, and not kept.
    assert.equal(textOf(lines.of("ADDED", huge.object)).length, 1038);
    lines.of("ADDED", huge.object);
    lines.of("ADDED", a.object);
    assert.deepEqual([huge.times(), a.times()], [2, 2]);
  });

  it("are the same bytes for each watcher of the server, whatever another does with its own", async () => {
    const { send } = testApp();
    const path = `${room}/workspaces`;
    const open = async (query: string) => eventsOf(await send("GET", `${path}?watch=true&resourceVersion=1${query}`));
    const [all, some, early] = await Promise.all([open(""), open("&labelSelector=app%3Dx"), open("")]);
    await send("POST", path, workspace("a", {}, { labels: { app: "y" } }));
    await early.next();
    await early.cancel();
    await send("PATCH", `${path}/a`, { metadata: { labels: { app: "x" } } }, { "content-type": "application/merge-patch+json" });
    const seen = [await all.next(), await all.next(), await some.next()].map(({ value }) => value as { readonly type: string; readonly object: unknown });
    assert.deepEqual(seen.map(({ type }) => type), ["ADDED", "MODIFIED", "ADDED"]);
    assert.deepEqual(seen[1]!.object, seen[2]!.object);
    await all.cancel();
    await some.cancel();
  });
});
