import { StatusError } from "../api/status-error.ts";

/** Longest line of a watch: an object of 1.5 MB, twice, with what surrounds it. Bytes. */
export const lineBytesMax = 4 * 1024 * 1024;

/**
 * The lines of a stream of bytes, without their ends; blank ones are left out, and so is a last one that was cut. Reads no
 * more than its reader takes. @throws StatusError InternalError on a line over the bound
 */
export async function* linesOf(stream: AsyncIterable<Buffer>, bytesMax = lineBytesMax): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const last = chunk.subarray(from, end);
      refuseLong(bytes + last.byteLength, bytesMax);
      const line = (pieces.length === 0 ? last : Buffer.concat([...pieces, last])).toString("utf8");
      pieces = [];
      bytes = 0;
      from = end + 1;
      if (line.trim() !== "") yield line;
    }
    if (from === chunk.byteLength) continue;
    pieces.push(chunk.subarray(from));
    bytes += chunk.byteLength - from;
    refuseLong(bytes, bytesMax);
  }
}

function refuseLong(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new StatusError("InternalError", `Cannot read the server's stream: a line is longer than ${bytesMax} bytes`);
}
