import { Duplex } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import { dataBytesMax, FrameReader, resetStatus, writeFrame, type SpdyFrame } from "./frames.ts";
import { HeaderReader, HeaderWriter, type SpdyHeaders } from "./headers.ts";
import { SpdyError } from "./spdy-error.ts";

/** Streams open at once; more are refused one by one. A forwarded connection takes two. */
const streamsMax = 1024;
/** What one stream may have received and nobody read, before the connection waits for its reader. */
const unreadBytesMax = 256 * 1024;

/** Where a stream's frames go. */
interface Wire {
  send(frame: Buffer, done: (error?: Error | null) => void): void;
  forget(stream: SpdyStream): void;
}

/** One stream that the peer opened: bytes both ways, each direction ended apart. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #wire: Wire;
  #onRoom: (() => void) | undefined;
  #over = false;
  /** The peer has ended its direction. */
  #received = false;

  constructor(id: number, headers: SpdyHeaders, wire: Wire) {
    super({ allowHalfOpen: true, readableHighWaterMark: unreadBytesMax, writableHighWaterMark: dataBytesMax });
    this.id = id;
    this.headers = headers;
    this.#wire = wire;
  }

  /** Takes in what came; resolves when there is room for more. */
  async receive(bytes: Buffer, fin: boolean): Promise<void> {
    if (this.destroyed || this.#received) return;
    this.#received = fin;
    const room = bytes.length === 0 || this.push(bytes);
    if (fin) this.push(null);
    else if (!room) await new Promise<void>((resolve) => (this.#onRoom = resolve));
  }

  /** Gives the stream up both ways, telling the peer. */
  reset(status: number): void {
    if (!this.#over) this.#wire.send(writeFrame.rstStream(this.id, status), () => {});
    this.abandon();
  }

  /** Gives the stream up both ways; the peer knows already. */
  abandon(error?: Error): void {
    this.#over = true;
    this.destroy(error);
  }

  override _read(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk.length <= dataBytesMax) return this.#wire.send(writeFrame.data(this.id, chunk, false), done);
    this.#wire.send(writeFrame.data(this.id, chunk.subarray(0, dataBytesMax), false), (error) => (error ? done(error) : this._write(chunk.subarray(dataBytesMax), _encoding, done)));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#wire.send(writeFrame.data(this.id, Buffer.alloc(0), true), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const clean = this.readableEnded && this.writableFinished;
    if (!clean && !this.#over) this.#wire.send(writeFrame.rstStream(this.id, resetStatus.cancel), () => {});
    this.#over = true;
    this._read();
    this.#wire.forget(this);
    done(error);
  }
}

/**
 * Our end of SPDY/3.1 over any transport: the peer opens streams, we answer them. Speaks what Kubernetes' clients speak,
 * and these (moby/spdystream) keep no windows: whatever holds a stream back holds the transport back. A stream whose
 * reader stands still therefore stops the others once `unreadBytesMax` wait in it, as with kubelet.
 * Source: The Chromium Projects, "SPDY Protocol - Draft 3.1".
 */
export class SpdySession {
  readonly #transport: Duplex;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  readonly #onStream: (stream: SpdyStream) => void;
  #lastStream = 0;

  /** @param onStream gets each stream once it is opened, answered already; it must listen to its "error" */
  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
    // What is wrong with the transport ends `run`.
    transport.on("error", () => {});
  }

  /** Serves until the peer goes, breaks the protocol, or `close` is called; all streams have ended then. Never rejects. */
  async run(): Promise<void> {
    const frames = new FrameReader();
    let reason = "the connection was closed";
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        for (const frame of frames.read(chunk)) await this.#take(frame);
      }
    } catch (error) {
      reason = messageOf(error);
    }
    for (const stream of [...this.#streams.values()]) stream.abandon(new SpdyError(reason));
    this.#headerReader.close();
    this.#transport.destroy();
  }

  /** Says goodbye and ends our direction of the transport; `run` ends when the peer ends the other. */
  close(): void {
    this.#send(writeFrame.goaway(this.#lastStream), () => this.#transport.end());
  }

  async #take(frame: SpdyFrame): Promise<void> {
    switch (frame.type) {
      case "syn-stream": {
        const headers = await this.#headerReader.read(frame.headers);
        return this.#open(frame.stream, headers, frame.fin);
      }
      case "headers":
      case "syn-reply":
        // Read for the compression's sake.
        await this.#headerReader.read(frame.headers);
        return;
      case "data":
        // Of one that is over, the rest may still be on its way.
        return await this.#streams.get(frame.stream)?.receive(frame.bytes, frame.fin);
      case "rst-stream":
        return this.#streams.get(frame.stream)?.abandon(new SpdyError(`the peer gave the stream up (status ${frame.status})`));
      case "ping":
        // Even ids would be answers to ours, and we send none.
        if (frame.id % 2 === 1) this.#send(writeFrame.ping(frame.id), () => {});
        return;
      case "goaway":
        // It opens no more; what is open goes on.
        return;
    }
  }

  #open(id: number, headers: SpdyHeaders, fin: boolean): void {
    if (id % 2 === 0 || id <= this.#lastStream) throw new SpdyError(`stream ${id} after stream ${this.#lastStream}`);
    this.#lastStream = id;
    if (this.#streams.size >= streamsMax) return this.#send(writeFrame.rstStream(id, resetStatus.refusedStream), () => {});
    const stream = new SpdyStream(id, headers, { send: (frame, done) => this.#send(frame, done), forget: (each) => this.#streams.delete(each.id) });
    this.#streams.set(id, stream);
    this.#send(writeFrame.synReply(id, this.#headerWriter.write({})), () => {});
    if (fin) void stream.receive(Buffer.alloc(0), true);
    this.#onStream(stream);
  }

  /** `done` comes when the bytes have left for the kernel: that is the back-pressure. */
  #send(frame: Buffer, done: (error?: Error | null) => void): void {
    if (this.#transport.writable) this.#transport.write(frame, done);
    else done(new SpdyError("the connection is closed"));
  }
}
