import { crc32 } from "node:zlib";

// A frame is one line: length and CRC-32 of the payload in hexadecimal, then the payload, JSON without a line break.
// Lines can be read by people, and the next frame is found again after a bad one.

const headerBytes = 18;
/** What a disk writes whole or not at all. */
const sectorBytes = 512;
const newline = 0x0a;

export function encodeFrame(json: string): Buffer {
  const payloadBytes = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes + 1);
  frame.write(json, headerBytes, "utf8");
  const payload = frame.subarray(headerBytes, headerBytes + payloadBytes);
  frame.write(`${hex(payloadBytes)} ${hex(crc32(payload))} `, 0, "latin1");
  frame[frame.length - 1] = newline;
  return frame;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

export interface Frame {
  /** Where it starts in the file. */
  readonly offset: number;
  readonly payload: Buffer;
}

export interface FramesRead {
  readonly frames: readonly Frame[];
  /** Where the last whole frame ends. */
  readonly end: number;
  /**
   * What comes after. torn: a frame whose write was cut short, so that nobody was told it is durable. damaged: bytes that
   * were written whole and are others now; cutting them off would lose what was acknowledged.
   */
  readonly rest: "nothing" | "torn" | "damaged";
}

/** Reads frames until the end, or the first that is not as it was written. */
export function readFrames(bytes: Buffer): FramesRead {
  const frames: Frame[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const frame = frameAt(bytes, offset);
    if (frame === undefined) return { frames, end: offset, rest: restAt(bytes, offset) };
    frames.push(frame);
    offset += headerBytes + frame.payload.length + 1;
  }
  return { frames, end: offset, rest: "nothing" };
}

/** Payload bytes of the frame that starts here, by its header; undefined when that is no header. */
function lengthAt(bytes: Buffer, offset: number): number | undefined {
  const header = bytes.toString("latin1", offset, offset + headerBytes);
  return /^[0-9a-f]{8} [0-9a-f]{8} $/.test(header) ? Number.parseInt(header, 16) : undefined;
}

function frameAt(bytes: Buffer, offset: number): Frame | undefined {
  const length = lengthAt(bytes, offset);
  if (length === undefined) return undefined;
  const end = offset + headerBytes + length;
  if (end >= bytes.length || bytes[end] !== newline) return undefined;
  const payload = bytes.subarray(offset + headerBytes, end);
  return crc32(payload) === Number.parseInt(bytes.toString("latin1", offset + 9, offset + 17), 16) ? { offset, payload } : undefined;
}

function restAt(bytes: Buffer, offset: number): FramesRead["rest"] {
  const end = dataEnd(bytes, offset);
  // Room made in advance and never written.
  if (end === offset) return "nothing";
  // The next frame is written only when this one is durable: one that follows proves that this one was.
  for (let at = bytes.indexOf(newline, offset); at >= 0; at = bytes.indexOf(newline, at + 1)) {
    if (frameAt(bytes, at + 1) !== undefined) return "damaged";
  }
  // A sector that never reached the disk reads as zeros; JSON has none. Source: etcd, wal/decoder.go, isTornEntry.
  for (let from = offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / sectorBytes) + 1) * sectorBytes);
    if (bytes.subarray(from, to).every((byte) => byte === 0)) return "torn";
    from = to;
  }
  // A frame ends with its only line break: with that one there, or as long as its header says, it was whole. The header
  // alone decides nothing, as it may be what was damaged.
  const length = lengthAt(bytes, offset);
  return bytes[end - 1] === newline || (length !== undefined && end >= offset + headerBytes + length + 1) ? "damaged" : "torn";
}

/** The end of the last byte that is not zero. */
function dataEnd(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}
