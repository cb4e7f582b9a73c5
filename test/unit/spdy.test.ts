import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { createHash, randomBytes } from "node:crypto";
import { createDeflate, constants } from "node:zlib";
import { after, describe, it } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { FrameReader, resetStatus, writeFrame, type SpdyFrame } from "../../src/server/spdy/frames.ts";
import { headerDictionary, headerDictionaryId } from "../../src/server/spdy/header-dictionary.ts";
import { HeaderReader, HeaderWriter, headerBytesMax } from "../../src/server/spdy/headers.ts";
import { SpdySession, type SpdyStream } from "../../src/server/spdy/session.ts";

function adler32(bytes: Buffer): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return (b * 65536 + a) >>> 0;
}

describe("SPDY headers", () => {
  it("start from the dictionary of the specification", () => {
    assert.equal(headerDictionary.length, 1423);
    assert.equal(adler32(headerDictionary), headerDictionaryId);
  });
  it("are read as zlib writes them, block after block of one stream", async () => {
    const deflate = createDeflate({ dictionary: headerDictionary, flush: constants.Z_SYNC_FLUSH });
    const plain = (headers: Record<string, string>) => {
      const number = (value: number) => Buffer.of(0, 0, value >> 8, value & 255);
      return Buffer.concat([number(Object.keys(headers).length), ...Object.entries(headers).flatMap(([name, value]) => [number(name.length), Buffer.from(name), number(value.length), Buffer.from(value)])]);
    };
    const reader = new HeaderReader();
    for (const headers of [{ Streamtype: "error", port: "80", requestid: "0" }, { streamtype: "data", port: "80", requestid: "0" }, {}, { x: "y".repeat(5000) }]) {
      const parts: Buffer[] = [];
      const take = (part: Buffer) => parts.push(part);
      deflate.on("data", take);
      await new Promise((resolve) => deflate.write(plain(headers as Record<string, string>), resolve));
      deflate.off("data", take);
      const expected = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      assert.deepEqual({ ...(await reader.read(Buffer.concat(parts))) }, expected);
    }
    reader.close();
    deflate.destroy();
  });
  it("are written so that they can be read", async () => {
    const writer = new HeaderWriter();
    const reader = new HeaderReader();
    for (const headers of [{}, { a: "b" }, {}, { streamtype: "data", "__proto__x": "1" }]) assert.deepEqual({ ...(await reader.read(writer.write(headers))) }, headers);
    reader.close();
  });
  it("cannot grow without bound", async () => {
    const deflate = createDeflate({ dictionary: headerDictionary, flush: constants.Z_SYNC_FLUSH });
    const parts: Buffer[] = [];
    deflate.on("data", (part: Buffer) => parts.push(part));
    await new Promise((resolve) => deflate.write(Buffer.alloc(headerBytesMax * 40), resolve));
    const reader = new HeaderReader();
    await assert.rejects(reader.read(Buffer.concat(parts)), /more than 65536 bytes/);
    reader.close();
    deflate.destroy();
  });
  it("that are no zlib stream, or lie about their length, are refused", async () => {
    const garbled = new HeaderReader();
    await assert.rejects(garbled.read(Buffer.from("no zlib at all")), /cannot be read/);
    garbled.close();
    const writer = new HeaderWriter();
    const whole = writer.write({ a: "b" });
    const cut = new HeaderReader();
    // One pair is announced and no more.
    whole[6 + 5 + 3] = 2;
    await assert.rejects(cut.read(whole), /cut short/);
    cut.close();
  });
});

describe("SPDY frames", () => {
  const bytes = Buffer.concat([
    writeFrame.synStream(1, Buffer.from("head")), writeFrame.data(1, Buffer.from("hello"), false), writeFrame.ping(7), writeFrame.data(1, Buffer.alloc(0), true),
    writeFrame.rstStream(3, resetStatus.cancel), writeFrame.goaway(3),
  ]);
  const told = (frames: readonly SpdyFrame[]) => {
    const text: string[] = [];
    for (const frame of frames) {
      const last = text.at(-1);
      if (frame.type === "data" && !frame.fin && last?.startsWith(`data ${frame.stream} `)) text[text.length - 1] = last + frame.bytes.toString();
      else text.push(frame.type === "data" ? `data ${frame.stream} ${frame.fin ? "fin" : frame.bytes.toString()}` : frame.type);
    }
    return text;
  };
  const expected = ["syn-stream", "data 1 hello", "ping", "data 1 fin", "rst-stream", "goaway"];
  it("are read however they are cut", () => {
    for (const size of [1, 2, 3, 7, 8, 13, bytes.length]) {
      const reader = new FrameReader();
      const frames: SpdyFrame[] = [];
      for (let at = 0; at < bytes.length; at += size) frames.push(...reader.read(bytes.subarray(at, at + size)));
      assert.deepEqual(told(frames), expected, `cut every ${size} bytes`);
    }
  });
  it("of another version, or too large, are refused", () => {
    const other = writeFrame.ping(1);
    other[1] = 2;
    assert.throws(() => [...new FrameReader().read(other)], /version 2/);
    const large = writeFrame.ping(1);
    large[5] = 0xff;
    assert.throws(() => [...new FrameReader().read(large)], /control frame has/);
  });
});

/** A peer that opens streams, over a real connection, and what it was sent. */
async function pair(onStream: (stream: SpdyStream) => void) {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [ours] = await accepted;
  const session = new SpdySession(ours, onStream);
  const running = session.run();
  const frames: SpdyFrame[] = [];
  const reader = new FrameReader();
  peer.on("data", (chunk: Buffer) => frames.push(...reader.read(chunk)));
  peer.on("error", () => {});
  const writer = new HeaderWriter();
  const seen = async (what: (frame: SpdyFrame) => boolean) => {
    await eventually(() => assert.ok(frames.some(what), "it has not come"), 10_000, 2);
    return frames.find(what)!;
  };
  cleanups.push(async () => {
    peer.destroy();
    await running;
    server.close();
  });
  return { session, peer, frames, writer, seen, running, open: (id: number, headers: Record<string, string> = {}) => peer.write(writeFrame.synStream(id, writer.write(headers))) };
}
const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const each of cleanups) await each();
});

const echo = (stream: SpdyStream) => {
  stream.on("error", () => {});
  stream.pipe(stream);
};

describe("a SPDY session", { timeout: 20_000 }, () => {
  it("answers streams, carries bytes both ways, and ends each direction apart", async () => {
    const { open, peer, seen, frames } = await pair(echo);
    open(1, { streamtype: "data" });
    await seen((frame) => frame.type === "syn-reply" && frame.stream === 1);
    const sent = randomBytes(300_000);
    for (let at = 0; at < sent.length; at += 32_768) peer.write(writeFrame.data(1, sent.subarray(at, at + 32_768), false));
    peer.write(writeFrame.data(1, Buffer.alloc(0), true));
    await seen((frame) => frame.type === "data" && frame.fin);
    const got = Buffer.concat(frames.flatMap((frame) => (frame.type === "data" ? [frame.bytes] : [])));
    assert.equal(createHash("sha256").update(got).digest("hex"), createHash("sha256").update(sent).digest("hex"));
  });
  it("answers pings, and passes over what it does not know", async () => {
    const { peer, seen } = await pair(echo);
    peer.write(Buffer.from([0x80, 3, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0]));
    peer.write(Buffer.from([0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 1, 0]));
    peer.write(writeFrame.data(99, Buffer.from("to nobody"), false));
    peer.write(writeFrame.ping(5));
    await seen((frame) => frame.type === "ping" && frame.id === 5);
  });
  it("holds the peer back when nobody reads, and goes on when somebody does", async () => {
    const streams: SpdyStream[] = [];
    const { open, peer } = await pair((stream) => {
      stream.on("error", () => {});
      streams.push(stream);
    });
    open(1);
    const chunk = writeFrame.data(1, Buffer.alloc(65_536), false);
    let sent = 0;
    // Far more than the kernel's buffers and ours take.
    while (sent < 64 * 1024 * 1024) {
      sent += 65_536;
      if (!peer.write(chunk) && !(await Promise.race([once(peer, "drain").then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, 300, false))]))) break;
    }
    assert.ok(sent < 64 * 1024 * 1024, "the peer was never held back");
    assert.ok(streams[0]!.readableLength <= 256 * 1024 + 65_536, `${streams[0]!.readableLength} bytes wait`);
    let got = 0;
    streams[0]!.on("data", (part: Buffer) => (got += part.length));
    peer.write(writeFrame.data(1, Buffer.alloc(0), true));
    await once(streams[0]!, "end");
    assert.equal(got, sent);
  });
  it("ends a stream that is reset, and no other", async () => {
    const streams: SpdyStream[] = [];
    const { open, peer, seen } = await pair((stream) => {
      streams.push(stream);
      echo(stream);
    });
    open(1);
    open(3);
    await seen((frame) => frame.type === "syn-reply" && frame.stream === 3);
    const closed = new Promise((resolve) => streams[0]!.once("close", resolve));
    peer.write(writeFrame.rstStream(1, resetStatus.cancel));
    await closed;
    peer.write(writeFrame.data(3, Buffer.from("still"), false));
    await seen((frame) => frame.type === "data" && frame.stream === 3 && frame.bytes.toString() === "still");
  });
  it("tells the peer of a stream that is given up", async () => {
    const { open, seen } = await pair((stream) => {
      stream.on("error", () => {});
      stream.reset(resetStatus.internalError);
    });
    open(1);
    const frame = await seen((each) => each.type === "rst-stream");
    assert.equal(frame.type === "rst-stream" && frame.status, resetStatus.internalError);
  });
  it("refuses streams beyond the bound, one by one", async () => {
    const { open, seen } = await pair(echo);
    for (let id = 1; id <= 2049; id += 2) open(id);
    const frame = await seen((each) => each.type === "rst-stream");
    assert.deepEqual(frame, { type: "rst-stream", stream: 2049, status: resetStatus.refusedStream });
  });
  it("ends, with all its streams, when the peer breaks the protocol or goes", async () => {
    for (const bad of [Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 0]), writeFrame.synStream(2, Buffer.alloc(0)), writeFrame.synStream(3, Buffer.from("no zlib")), undefined]) {
      const streams: SpdyStream[] = [];
      const errors: Error[] = [];
      const { open, peer, running, seen } = await pair((stream) => {
        streams.push(stream);
        stream.on("error", (error) => errors.push(error));
        stream.resume();
      });
      open(1);
      await seen((frame) => frame.type === "syn-reply");
      if (bad === undefined) peer.destroy();
      else peer.write(bad);
      await running;
      assert.ok(streams[0]!.destroyed);
      await eventually(() => assert.equal(errors.length, 1), 1000, 2);
    }
  });
  it("says goodbye when closed", async () => {
    const { session, peer, seen, running } = await pair(echo);
    session.close();
    await seen((frame) => frame.type === "goaway");
    peer.end();
    await running;
  });
});
