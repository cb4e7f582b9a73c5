import { Duplex, Readable, Writable } from "node:stream";
import type { Channel } from "ssh2";

// ssh2's channels are streams with manners of their own: they are never `destroyed`, forget the callbacks of writes that a
// close cuts off, and close only once somebody has read to the end. These wrap them into streams as Node's own are.

/** Bytes read ahead of the consumer. The channel's own window is 2 MiB on top. */
const aheadBytesMax = 64 * 1024;

/** Hands everything of `source` to `push`, holds it up when told to, and says when it ends. */
function pump(source: Readable, push: (chunk: Buffer | null) => boolean) {
  const onData = (chunk: Buffer) => {
    if (!push(chunk)) source.pause();
  };
  const onEnd = () => void push(null);
  source.on("data", onData);
  source.once("end", onEnd);
  return {
    more: () => void source.resume(),
    /** From now on what comes is dropped: a window that nobody opens again would hold up the whole channel. */
    drop() {
      source.off("data", onData);
      source.off("end", onEnd);
      source.resume();
    },
  };
}

/** Writes to the channel until it closes. */
function feed(channel: Channel, onClosed: () => void) {
  let pending: (() => void) | undefined;
  let closed = false;
  channel.once("close", () => {
    closed = true;
    pending?.();
    onClosed();
  });
  return {
    write(chunk: Buffer, done: (error?: Error) => void) {
      const settle = (error?: Error) => {
        if (pending === undefined) return;
        pending = undefined;
        done(error);
      };
      pending = () => settle(Object.assign(new Error("the other side has closed the connection"), { code: "EPIPE" }));
      if (closed || !channel.writable) return pending();
      channel.write(chunk, () => settle());
    },
    end: () => void channel.end(),
  };
}

/** What the channel, or its stderr, says. */
export function readableOf(source: Readable): Readable {
  const readable = new Readable({
    highWaterMark: aheadBytesMax,
    read: () => pumping.more(),
    destroy(error, done) {
      pumping.drop();
      done(error);
    },
  });
  const pumping = pump(source, (chunk) => readable.push(chunk));
  return readable;
}

/** The channel's other direction alone. Destroyed, without an error, when the channel closes. */
export function writableOf(channel: Channel): Writable {
  const feeding = feed(channel, () => writable.destroy());
  const writable = new Writable({
    highWaterMark: aheadBytesMax,
    write: (chunk: Buffer, _encoding, done) => feeding.write(chunk, done),
    final(done) {
      feeding.end();
      done();
    },
  });
  // A command that has ended takes no more; whoever still writes need not be told twice.
  writable.on("error", () => writable.destroy());
  return writable;
}

/** A connection that was carried over: its directions end apart, as those of a socket with `allowHalfOpen`. */
export function duplexOf(channel: Channel): Duplex {
  const duplex: Duplex = new Duplex({
    allowHalfOpen: true,
    readableHighWaterMark: aheadBytesMax,
    writableHighWaterMark: aheadBytesMax,
    read: () => pumping.more(),
    write: (chunk: Buffer, _encoding, done) => feeding.write(chunk, done),
    final(done) {
      feeding.end();
      done();
    },
    destroy(error, done) {
      pumping.drop();
      channel.close();
      done(error);
    },
  });
  const pumping = pump(channel, (chunk) => duplex.push(chunk));
  const feeding = feed(channel, () => {});
  return duplex;
}
