import { messageOf } from "../../base/errors.ts";
import { machineRecord, publishedPorts, type MachineRecord, type MachineRun, type MachineSeen } from "./machine-record.ts";

/** Reads what `lookScript` printed. A record that cannot be read is trouble of that machine alone. */
export function readMachines(text: string): readonly MachineSeen[] {
  const seen: { -readonly [K in keyof MachineSeen]: MachineSeen[K] }[] = [];
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    const [word, rest] = space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)];
    if (word === "id") seen.push({ id: rest, record: undefined, run: undefined, ports: [], learnedHostKey: undefined });
    const last = seen.at(-1);
    if (last === undefined) continue;
    if (word === "record") {
      last.record = recordIn(rest);
      if (typeof last.record === "object") last.ports = last.record.ports;
    } else if (word === "ports") last.ports = portsIn(rest) ?? last.ports;
    else if (word === "key") last.learnedHostKey = rest;
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

function runIn(text: string): MachineRun | undefined {
  const [pid, startTime, bootId, since, sshPort, life, ended] = text.split(" ");
  if (pid === undefined || startTime === undefined || bootId === undefined || since === undefined || sshPort === undefined) return undefined;
  return { pid: Number(pid), startTime, bootId, startedAtSeconds: Number(since), sshPort: Number(sshPort), alive: life === "1", exitCode: /^\d+$/.test(ended ?? "") ? Number(ended) : undefined };
}
