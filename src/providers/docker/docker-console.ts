import type Docker from "dockerode";

/** Lines that the engine is asked for; it cuts longer ones at 16 KiB, so that an answer has a bound. */
const linesMax = 1000;
const headerBytes = 8;

/** The end of what the container's main command wrote, stdout and stderr as they came. */
export async function containerConsole(docker: Docker, id: string, bytesMax: number, signal: AbortSignal): Promise<string> {
  const framed = await docker.getContainer(id).logs({ stdout: true, stderr: true, tail: linesMax, follow: false, abortSignal: signal });
  const text = unframed(framed);
  return wholeCharacters(text.subarray(Math.max(0, text.length - bytesMax)));
}

/** Source: Docker Engine API, "Attach to a container", "Stream format": a byte for the stream, three of nothing, four of length, big-endian. */
function unframed(framed: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + headerBytes <= framed.length; ) {
    const end = at + headerBytes + framed.readUInt32BE(at + 4);
    parts.push(framed.subarray(at + headerBytes, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** Without what is left at its beginning of a character that was cut. */
function wholeCharacters(bytes: Buffer): string {
  let start = 0;
  while (start < 3 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start++;
  return bytes.toString("utf8", start);
}
