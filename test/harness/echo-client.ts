import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";

/** What a connection to an echo came to. */
export interface Echoed {
  readonly sentBytes: number;
  readonly gotBytes: number;
  /** Whether all came back as it was sent. */
  readonly same: boolean;
}

/**
 * Sends so many random bytes to 127.0.0.1:port, ends its direction, and reads until the other ends. An echo that answers
 * what came before the end, after it, shows that each direction ends apart.
 */
export function echoThrough(port: number, bytes: number): Promise<Echoed> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const sent = createHash("sha256");
    const got = createHash("sha256");
    const block = randomBytes(Math.min(bytes, 64 * 1024));
    let left = bytes;
    let gotBytes = 0;
    const push = () => {
      while (left > 0) {
        const part = block.subarray(0, Math.min(left, block.length));
        left -= part.length;
        sent.update(part);
        if (!socket.write(part)) return void socket.once("drain", push);
      }
      socket.end();
    };
    socket.once("connect", push);
    socket.on("data", (part: Buffer) => {
      gotBytes += part.length;
      got.update(part);
    });
    socket.on("end", () => resolve({ sentBytes: bytes - left, gotBytes, same: gotBytes === bytes && sent.digest("hex") === got.digest("hex") }));
    socket.on("error", reject);
  });
}
