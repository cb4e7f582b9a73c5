import { codeOf, messageOf } from "../base/errors.ts";

/** The store cannot be opened. The message says which file, why, and what to do next. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
}

/** Another process holds the store. One that was killed a moment ago may only have to finish its last fsync. */
export class StoreHeldError extends StoreOpenError {}

/** Words for an error of the file system while opening. Others that already speak for themselves pass through. */
export function openError(dir: string, error: unknown): Error {
  if (error instanceof StoreOpenError) return error;
  const path = (error as { readonly path?: unknown }).path;
  const at = typeof path === "string" ? path : dir;
  const elsewhere = "or set VENDETTA_HOME to a directory you can write to";
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return new StoreOpenError(`Cannot open the store in ${dir}: no permission for ${at}; give it to the user that runs the server (uid ${process.getuid?.() ?? "?"}) with chown, ${elsewhere}`, { cause: error });
    case "EROFS":
      return new StoreOpenError(`Cannot open the store in ${dir}: ${at} is on a read-only file system; remount it for writing, ${elsewhere}`, { cause: error });
    case "ENOSPC":
    case "EDQUOT":
      return new StoreOpenError(`Cannot open the store in ${dir}: no space is left for ${at}; free some and start again`, { cause: error });
    case "ENOTDIR":
    case "EEXIST":
      return new StoreOpenError(`Cannot open the store in ${dir}: ${at} is not a directory; move it away, ${elsewhere}`, { cause: error });
    default:
      return new StoreOpenError(`Cannot open the store in ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

/** A file of the store does not hold what was written to it. */
export function damaged(path: string, offset: number, what: string): StoreOpenError {
  return new StoreOpenError(
    `Cannot open the store: ${path} is damaged at byte ${offset}: ${what}. Nothing was changed. Restore the directory from a backup; ` +
      "or, to start with an empty store, move the directory away (engines keep their instances, and apply brings the objects back)",
  );
}
