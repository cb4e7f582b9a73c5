import { createInflate, constants, type Inflate } from "node:zlib";
import { messageOf } from "../../base/errors.ts";
import { headerDictionary, headerDictionaryId } from "./header-dictionary.ts";
import { SpdyError } from "./spdy-error.ts";
import { uint32 } from "./uint32.ts";

/** Names in lower case. */
export type SpdyHeaders = Readonly<Record<string, string>>;

/** Of one header block, once inflated. */
export const headerBytesMax = 64 * 1024;
const headersMax = 100;

/**
 * Reads the header blocks of one connection, one after the other: they share one compression state, so that each must be
 * read even when nobody wants it. Source: SPDY/3.1, section 2.6.10.
 */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: headerDictionary, flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
  #parts: Buffer[] = [];
  #bytes = 0;
  #fail: ((error: SpdyError) => void) | undefined;

  constructor() {
    this.#inflate.on("data", (part: Buffer) => {
      this.#bytes += part.length;
      // A few bytes can stand for megabytes.
      if (this.#bytes > headerBytesMax) this.#fail?.(new SpdyError(`a header block has more than ${headerBytesMax} bytes`));
      else this.#parts.push(part);
    });
    this.#inflate.on("error", (error) => this.#fail?.(new SpdyError(`a header block cannot be read: ${messageOf(error)}`)));
  }

  /** @throws SpdyError; the connection is lost then */
  async read(block: Buffer): Promise<SpdyHeaders> {
    this.#parts = [];
    this.#bytes = 0;
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      // Called when all of the block was inflated and handed to "data".
      this.#inflate.write(block, (error) => (error ? reject(new SpdyError(`a header block cannot be read: ${messageOf(error)}`)) : resolve()));
    });
    this.#fail = undefined;
    return parse(Buffer.concat(this.#parts));
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function parse(bytes: Buffer): SpdyHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > bytes.length) throw new SpdyError("a header block is cut short");
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > bytes.length) throw new SpdyError("a header block is cut short");
    at += length;
    return bytes.toString("latin1", at - length, at);
  };
  const count = number();
  if (count > headersMax) throw new SpdyError(`a header block has ${count} headers; the most is ${headersMax}`);
  const headers: [string, string][] = [];
  for (let i = 0; i < count; i++) headers.push([text().toLowerCase(), text()]);
  // No prototype: names come from outside.
  return Object.assign(Object.create(null) as object, Object.fromEntries(headers));
}

/**
 * Writes the header blocks of one connection. What is said is small, so it goes out as stored blocks, which every
 * inflater reads and which need no state but whether the stream has begun. Source: RFC 1950, RFC 1951 section 3.2.4.
 */
export class HeaderWriter {
  #begun = false;

  write(headers: SpdyHeaders): Buffer {
    const entries = Object.entries(headers);
    const plain = Buffer.concat([uint32(entries.length), ...entries.flatMap(([name, value]) => [name, value].flatMap((each) => [uint32(Buffer.byteLength(each, "latin1")), Buffer.from(each, "latin1")]))]);
    if (plain.length > headerBytesMax - 1) throw new SpdyError(`a header block of ${plain.length} bytes cannot be written`);
    // CMF and FLG with a preset dictionary, then its id.
    const head = this.#begun ? [] : [Buffer.of(0x78, 0xbb), uint32(headerDictionaryId)];
    this.#begun = true;
    // The empty block after it is the flush that some inflaters wait for.
    return Buffer.concat([...head, stored(plain), stored(Buffer.alloc(0))]);
  }
}

function stored(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return Buffer.concat([head, bytes]);
}
