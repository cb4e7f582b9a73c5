import { readFile } from "node:fs/promises";
import { codeOf } from "../base/errors.ts";
import { writeFileDurably } from "../base/durable-file.ts";
import type { PortWish } from "../base/port-wish.ts";

/** Where the first start looks: beside 6443, which a cluster's API server has. */
const portFirst = 6440;
const portsTried = 60;

/** What the last start settled on. A file that cannot be read counts as none: a port is chosen again. */
export async function readPort(file: string): Promise<number | "off" | undefined> {
  try {
    const { port } = JSON.parse(await readFile(file, "utf8")) as { readonly port?: unknown };
    return port === "off" || (Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536) ? (port as number | "off") : undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

export async function writePort(file: string, port: number | "off"): Promise<void> {
  await writeFileDurably(file, `${JSON.stringify({ port })}\n`);
}

/** The ports to try, in order: the one somebody named and no other; or the last one's, those of our range, any free one. */
export function portsToTry(wish: Exclude<PortWish, "off">, last: number | undefined): readonly number[] {
  if (wish !== "auto") return [wish];
  const range = Array.from({ length: portsTried }, (_, i) => portFirst + i).filter((port) => port !== last);
  // Any free one of 127.0.0.1 may be taken on ::1: three tries.
  return [...(last === undefined ? [] : [last]), ...range, 0, 0, 0];
}
