import { SpdyError } from "./spdy-error.ts";

/** What a peer can say, as far as it means something here. */
export type SpdyFrame =
  | { readonly type: "syn-stream"; readonly stream: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly type: "syn-reply" | "headers"; readonly stream: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly type: "rst-stream"; readonly stream: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goaway" }
  /** Any part of a data frame; `fin` with its last part only. */
  | { readonly type: "data"; readonly stream: number; readonly fin: boolean; readonly bytes: Buffer };

/** Status codes of RST_STREAM. */
export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5, internalError: 6 } as const;

const types = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goaway: 7, headers: 8 } as const;
const version = 3;
const flagFin = 1;
const headBytes = 8;
/** Of one control frame. Data frames may be as large as they like: they are handed on in pieces. */
export const controlBytesMax = 64 * 1024;
/** Of one data frame that we write. */
export const dataBytesMax = 64 * 1024;

/** Takes a stream of bytes apart, however it was cut. Source: SPDY/3.1, section 2.2. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #data: { readonly stream: number; readonly fin: boolean; left: number } | undefined;

  /** @throws SpdyError */
  *read(chunk: Buffer): Generator<SpdyFrame> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#data !== undefined) {
        const { stream, fin } = this.#data;
        const part = bytes.subarray(0, this.#data.left);
        if (part.length === 0 && this.#data.left > 0) break;
        bytes = bytes.subarray(part.length);
        this.#data.left -= part.length;
        const last = this.#data.left === 0;
        if (last) this.#data = undefined;
        yield { type: "data", stream, fin: fin && last, bytes: part };
        continue;
      }
      if (bytes.length < headBytes) break;
      const length = bytes.readUIntBE(5, 3);
      const flags = bytes[4]!;
      if (bytes[0]! < 0x80) {
        this.#data = { stream: bytes.readUInt32BE(0), fin: (flags & flagFin) !== 0, left: length };
        bytes = bytes.subarray(headBytes);
        continue;
      }
      if (length > controlBytesMax) throw new SpdyError(`a control frame has ${length} bytes; the most is ${controlBytesMax}`);
      if (bytes.length < headBytes + length) break;
      const spoken = bytes.readUInt16BE(0) & 0x7fff;
      if (spoken !== version) throw new SpdyError(`version ${spoken} of SPDY is not spoken here`);
      const frame = controlFrame(bytes.readUInt16BE(2), flags, bytes.subarray(headBytes, headBytes + length));
      bytes = bytes.subarray(headBytes + length);
      if (frame !== undefined) yield frame;
    }
    // What is kept is less than one control frame: a copy, so that it does not hold on to a large chunk.
    this.#rest = Buffer.from(bytes);
  }
}

function controlFrame(type: number, flags: number, body: Buffer): SpdyFrame | undefined {
  const fin = (flags & flagFin) !== 0;
  const number = (at: number) => {
    if (body.length < at + 4) throw new SpdyError(`a control frame of type ${type} is cut short`);
    return body.readUInt32BE(at);
  };
  const stream = () => number(0) & 0x7fffffff;
  switch (type) {
    case types.synStream:
      if (body.length < 10) throw new SpdyError("a SYN_STREAM is cut short");
      return { type: "syn-stream", stream: stream(), fin, headers: body.subarray(10) };
    case types.synReply:
      return { type: "syn-reply", stream: stream(), fin, headers: body.subarray(4) };
    case types.headers:
      return { type: "headers", stream: stream(), fin, headers: body.subarray(4) };
    case types.rstStream:
      return { type: "rst-stream", stream: stream(), status: number(4) };
    case types.ping:
      return { type: "ping", id: number(0) };
    case types.goaway:
      return { type: "goaway" };
    default:
      // SETTINGS and WINDOW_UPDATE: Kubernetes' clients (moby/spdystream) neither mean nor keep windows.
      return undefined;
  }
}

function controlHead(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(type, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4));
  return bytes;
}

/** Each frame as bytes. */
export const writeFrame = {
  synStream: (stream: number, headers: Buffer, fin = false) => controlHead(types.synStream, fin ? flagFin : 0, Buffer.concat([numbers(stream, 0), Buffer.alloc(2), headers])),
  synReply: (stream: number, headers: Buffer) => controlHead(types.synReply, 0, Buffer.concat([numbers(stream), headers])),
  rstStream: (stream: number, status: number) => controlHead(types.rstStream, 0, numbers(stream, status)),
  ping: (id: number) => controlHead(types.ping, 0, numbers(id)),
  goaway: (lastStream: number) => controlHead(types.goaway, 0, numbers(lastStream, 0)),
  /** @param bytes at most `dataBytesMax` */
  data(stream: number, bytes: Uint8Array, fin: boolean): Buffer {
    const frame = Buffer.allocUnsafe(headBytes + bytes.length);
    frame.writeUInt32BE(stream, 0);
    frame[4] = fin ? flagFin : 0;
    frame.writeUIntBE(bytes.length, 5, 3);
    frame.set(bytes, headBytes);
    return frame;
  },
};
