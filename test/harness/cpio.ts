/** An entry of an archive; directories before what is in them. */
export interface CpioEntry {
  /** Without a leading '/'. */
  readonly path: string;
  /** File type and permissions, as in a stat's mode. */
  readonly mode: number;
  /** A file's bytes, or where a symlink leads. */
  readonly data: Uint8Array;
}

/** A cpio archive in the format "newc", as the kernel reads it for its initial file system (cpio(5)). */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  const pad = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);
  const add = (inode: number, { path, mode, data }: CpioEntry) => {
    const name = Buffer.from(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = Buffer.from(`070701${fields.map((each) => each.toString(16).toUpperCase().padStart(8, "0")).join("")}`);
    parts.push(header, name, pad(header.length + name.length), Buffer.from(data), pad(data.length));
  };
  entries.forEach((entry, i) => add(i + 1, entry));
  add(0, { path: "TRAILER!!!", mode: 0, data: new Uint8Array() });
  return Buffer.concat(parts);
}
