import { createHash } from "node:crypto";
import { isFields } from "../src/base/fields.ts";

/** A short, stable fingerprint of a JSON value: key order does not matter, absent and undefined are the same. 80 bits in hex. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, 20);
}

function canonical(value: unknown): string {
  // JSON has no word for undefined at the root.
  if (value === undefined) return "";
  return JSON.stringify(value, (_, inner: unknown) =>
    isFields(inner)
      ? Object.fromEntries(Object.entries(inner).filter(([, each]) => each !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
