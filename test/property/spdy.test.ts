import assert from "node:assert/strict";
import { PassThrough, Duplex } from "node:stream";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FrameReader, writeFrame, type SpdyFrame } from "../../src/server/spdy/frames.ts";
import { HeaderReader, HeaderWriter } from "../../src/server/spdy/headers.ts";
import { SpdyError } from "../../src/server/spdy/spdy-error.ts";
import { SpdySession } from "../../src/server/spdy/session.ts";
import { check, checkAsync } from "./check.ts";

/** Bytes cut at arbitrary places. */
const cut = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
};
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const written = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 99 }), fc.uint8Array({ maxLength: 200 }), fc.boolean()).map(([stream, bytes, fin]) => ({ text: `data ${stream} ${Buffer.from(bytes).toString("hex")}${fin ? " fin" : ""}`, bytes: writeFrame.data(stream, bytes, fin) })),
  fc.integer({ min: 0, max: 1000 }).map((id) => ({ text: `ping ${id}`, bytes: writeFrame.ping(id) })),
  fc.integer({ min: 1, max: 99 }).map((stream) => ({ text: `rst-stream ${stream}`, bytes: writeFrame.rstStream(stream, 5) })),
);

/** Frames as text, data frames whole again. */
function told(frames: readonly SpdyFrame[], whole: readonly string[]): string[] {
  const text: string[] = [];
  let open = "";
  for (const frame of frames) {
    if (frame.type !== "data") text.push(frame.type === "ping" ? `ping ${frame.id}` : frame.type === "rst-stream" ? `rst-stream ${frame.stream}` : frame.type);
    else {
      open = open === "" ? `data ${frame.stream} ${frame.bytes.toString("hex")}` : open + frame.bytes.toString("hex");
      // Where one ends, only the writer knows here.
      const full = open + (frame.fin ? " fin" : "");
      if (full === whole[text.length]) {
        text.push(full);
        open = "";
      }
    }
  }
  return text;
}

describe("SPDY", () => {
  it("frames come out as they went in, however they are cut", () => {
    check(fc.property(fc.array(written, { maxLength: 12 }), sizes, (list, cuts) => {
      const reader = new FrameReader();
      const frames = cut(Buffer.concat(list.map((each) => each.bytes)), cuts).flatMap((part) => [...reader.read(part)]);
      assert.deepEqual(told(frames, list.map((each) => each.text)), list.map((each) => each.text));
    }));
  });
  it("headers come out as they went in", async () => {
    const headers = fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.stringMatching(/^[ -~]{0,50}$/), { maxKeys: 10 });
    await checkAsync(fc.asyncProperty(fc.array(headers, { minLength: 1, maxLength: 5 }), async (list) => {
      const writer = new HeaderWriter();
      const reader = new HeaderReader();
      try {
        for (const each of list) assert.deepEqual({ ...(await reader.read(writer.write(each))) }, { ...each });
      } finally {
        reader.close();
      }
    }));
  });
  it("noise is refused or passed over, never a crash", async () => {
    await checkAsync(fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each)), written.map((each) => each.bytes), fc.uint8Array({ maxLength: 40 }).map((each) => writeFrame.synStream(1, Buffer.from(each)))), { maxLength: 10 }), sizes, async (parts, cuts) => {
      const bytes = Buffer.concat(parts);
      const reader = new FrameReader();
      try {
        for (const part of cut(bytes, cuts)) for (const frame of reader.read(part)) assert.ok(frame.type);
      } catch (error) {
        assert.ok(error instanceof SpdyError, String(error));
      }
      // A whole session over the same bytes ends by itself.
      const out = new PassThrough().resume();
      const session = new SpdySession(Duplex.from({ readable: (async function* () { yield* cut(bytes, cuts); })(), writable: out }), (stream) => stream.on("error", () => {}).resume());
      await session.run();
    }));
  });
});
