import { isKindName } from "../api/registry.ts";
import type { AnyObject } from "../api/registry.ts";
import type { Commit, LoggedChange } from "./commit.ts";

// How commits are written: whole objects. Measured against RFC 6902 patches (fast-json-patch's compare) for a status write
// of a Workspace of 1.3 kB; test/bench/store.bench.ts repeats it:
//
//   encode              9 to 13 us whole, 5 to 11 us as a patch
//   play at restart    10 to 36 us whole, 29 to 46 us as a patch, since each needs its own copy of the state before
//   bytes                    1,324 whole, 118 as a patch
//   a batch of 64     0.6 ms whole, 0.3 ms as a patch on the disk, beside about 4 ms of validation
//
// A patch would make writes of many clients some 5 % faster, a restart up to three times slower, and every record
// worthless without all before it. A single write costs the same: both fit one page.

type ChangeRecord =
  | { readonly v: number; readonly put: AnyObject }
  /** kind, namespace ("" for none), name */
  | { readonly v: number; readonly gone: readonly [kind: string, namespace: string, name: string] };

/** One frame's payload. */
export function encodeChanges(commits: readonly Commit[]): string {
  return JSON.stringify(commits.map(({ version, kind, namespace, name, after }): ChangeRecord => (after === undefined ? { v: version, gone: [kind, namespace, name] } : { v: version, put: after })));
}

/** @throws Error when the payload is none of ours */
export function decodeChanges(payload: string): readonly LoggedChange[] {
  return (JSON.parse(payload) as readonly ChangeRecord[]).map((record) => {
    const version = record.v;
    if ("put" in record) {
      const { kind, metadata } = record.put;
      return { version, kind: knownKind(kind), namespace: metadata.namespace ?? "", name: metadata.name, after: record.put };
    }
    const [kind, namespace, name] = record.gone;
    return { version, kind: knownKind(kind), namespace, name, after: undefined };
  });
}

export function knownKind(kind: string) {
  if (!isKindName(kind)) throw new Error(`it holds a ${kind}, which this vendetta does not know`);
  return kind;
}
