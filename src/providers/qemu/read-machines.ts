import { messageOf } from "../../base/errors.ts";
import { machineRecord, publishedPorts, type MachineRecord, type MachineRun, type MachineSeen } from "./machine-record.ts";

/** Reads what `lookScript` printed. A record that cannot be read is trouble of that machine alone. */
export function readMachines(text: string): readonly MachineSeen[] {
  const seen: ({ -readonly [K in keyof Omit<MachineSeen, "disks">]: MachineSeen[K] } & { disks: { own: number | undefined; more: Record<string, number> } })[] = [];
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    const [word, rest] = space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)];
    if (word === "id") seen.push({ id: rest, record: undefined, run: undefined, ports: [], learnedHostKey: undefined, disks: { own: undefined, more: {} } });
    const last = seen.at(-1);
    if (last === undefined) continue;
    if (word === "record") {
      last.record = recordIn(rest);
      if (typeof last.record === "object") last.ports = last.record.ports;
    } else if (word === "ports") last.ports = portsIn(rest) ?? last.ports;
    else if (word === "key") last.learnedHostKey = rest;
    else if (word === "disk") last.disks.own = bigEndian(rest);
    else if (word === "more") Object.assign(last.disks.more, keptDisk(rest));
    else if (word === "run") last.run = runIn(rest);
  }
  return seen;
}

function recordIn(text: string): MachineRecord | string {
  try {
    return machineRecord.parse(JSON.parse(text));
  } catch (error) {
    return messageOf(error);
  }
}

/** A file that a full disk left empty says nothing: then the record's ports hold. */
function portsIn(text: string): MachineRecord["ports"] | undefined {
  try {
    return publishedPorts.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Eight bytes in decimal, as `od` prints them: the size in a qcow2 file's header (QEMU's docs/interop/qcow2). */
function bigEndian(text: string): number | undefined {
  const bytes = text.trim().split(/\s+/).map(Number);
  return bytes.length === 8 && bytes.every((each) => each >= 0 && each < 256) ? bytes.reduce((sum, each) => sum * 256 + each, 0) : undefined;
}

/** "BYTES FILE" */
function keptDisk(text: string): Record<string, number> {
  const [, bytes, name] = /^(\d+) .*\/disk-([^/]+)\.raw$/.exec(text) ?? [];
  return name === undefined ? {} : { [name]: Number(bytes) };
}

function runIn(text: string): MachineRun | undefined {
  const [pid, startTime, bootId, since, sshPort, life, ended] = text.split(" ");
  if (pid === undefined || startTime === undefined || bootId === undefined || since === undefined || sshPort === undefined) return undefined;
  return { pid: Number(pid), startTime, bootId, startedAtSeconds: Number(since), sshPort: Number(sshPort), alive: life === "1", exitCode: /^\d+$/.test(ended ?? "") ? Number(ended) : undefined };
}
