import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachedBuild } from "./cached-build.ts";
import { qemuUnavailable, tinyGuest } from "./tiny-guest.ts";

const bootRecord = "/usr/lib/syslinux/mbr/mbr.bin";
const mib = 1024 ** 2;
const sectorBytes = 512;

/** As `qemuUnavailable`, for a disk that is made bootable. */
export function diskGuestUnavailable(): string | undefined {
  const lacks = ["/usr/bin/mcopy", "/usr/bin/syslinux", bootRecord].filter((path) => !existsSync(path));
  const why = qemuUnavailable() ?? (lacks.length === 0 ? undefined : `not there: ${lacks.join(", ")}`);
  if (why !== undefined && process.env["CI"] === "true") throw new Error(`${why}; in CI that is a failure`);
  return why;
}

/** SYSLINUX's manual, "Config". Without a display, it says nothing. */
const loaderConfig = (append: string) => `DEFAULT linux
PROMPT 0
LABEL linux
  KERNEL vmlinuz
  INITRD initrd
  APPEND ${append}
`;

interface Partition {
  readonly file: string;
  readonly type: number;
  readonly bytes: number;
  readonly isActive: boolean;
}

/** The tiny guest on a partitioned disk that boots by itself, as the images that people fetch do: a qcow2 file. */
export async function diskGuest(): Promise<string> {
  const { image, packed, initrd, pc } = await tinyGuest();
  const loader = loaderConfig(pc.append);
  const directory = await cachedBuild("disk", ["1", image, packed, loader], (into) => {
    const work = mkdtempSync(join(tmpdir(), "vd-disk-"));
    try {
      const boot: Partition = { file: join(work, "boot.fat"), type: 0x0e, bytes: 32 * mib, isActive: true };
      // The guest looks for its seed on first partitions.
      const root: Partition = { file: image, type: 0x83, bytes: 64 * mib, isActive: false };
      writeFileSync(join(work, "syslinux.cfg"), loader);
      execFileSync("truncate", ["-s", String(boot.bytes), boot.file]);
      // It counts the sectors before it to find itself.
      execFileSync("mformat", ["-i", boot.file, "-t", "32", "-h", "64", "-s", "32", "-H", String((mib + root.bytes) / sectorBytes), "::"]);
      execFileSync("mcopy", ["-i", boot.file, packed, initrd, join(work, "syslinux.cfg"), "::"]);
      execFileSync("syslinux", ["--install", boot.file]);
      writeDisk(join(work, "disk.raw"), [root, boot]);
      execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", join(work, "disk.raw"), join(into, "disk.qcow2")]);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  return join(directory, "disk.qcow2");
}

/** A disk with these partitions, one behind the other, and a master boot record that starts the active one. */
function writeDisk(path: string, partitions: readonly Partition[]): void {
  const record = Buffer.alloc(sectorBytes);
  readFileSync(bootRecord).copy(record);
  const disk = openSync(path, "w");
  try {
    let at = mib;
    partitions.forEach(({ file, type, bytes, isActive }, i) => {
      const entry = 446 + 16 * i;
      record[entry] = isActive ? 0x80 : 0;
      record[entry + 4] = type;
      // Where it begins and ends by cylinder, head and sector: beyond what that can say.
      record.set([0xfe, 0xff, 0xff], entry + 1);
      record.set([0xfe, 0xff, 0xff], entry + 5);
      record.writeUInt32LE(at / sectorBytes, entry + 8);
      record.writeUInt32LE(bytes / sectorBytes, entry + 12);
      writeSync(disk, readFileSync(file), 0, bytes, at);
      at += bytes;
    });
    record.set([0x55, 0xaa], 510);
    writeSync(disk, record, 0, sectorBytes, 0);
  } finally {
    closeSync(disk);
  }
}
