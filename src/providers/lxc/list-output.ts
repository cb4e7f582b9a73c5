import { messageOf } from "../../base/errors.ts";
import type { Instance, InstanceOwner } from "../provider.ts";
import { runDir } from "./lxc-paths.ts";
import { lxcRecord, type LxcRecord } from "./lxc-record.ts";

/** An instance as `listScript` told it, with what it was made from when that is whole. */
export interface Told {
  readonly instance: Instance;
  readonly record: LxcRecord | undefined;
}

/** Reads what `listScript` printed. */
export function parseList(text: string): Told[] {
  const told: Told[] = [];
  for (const block of text.split(/^instance /m).slice(1)) {
    const [id = "", ...lines] = block.split("\n");
    const said = (word: string) => lines.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1);
    const [state = "stopped", startId = "", seconds = ""] = said("state")?.split(" ") ?? [];
    const recorded = readRecord(said("record"));
    const isUp = state === "running" || state === "paused";
    if (typeof recorded === "string") told.push({ instance: broken(id, recorded), record: undefined });
    else
      told.push({
        record: recorded,
        instance: {
          id, owner: recorded.owner, generation: recorded.generation, specHash: recorded.specHash, state: state as Instance["state"],
          startId: isUp ? startId : undefined, startedAt: isUp ? new Date(Number(seconds) * 1000).toISOString() : undefined, exitCode: undefined, outOfMemory: false,
          address: isUp ? said("address") : undefined, ports: [], runDir, problems: [], remarks: remarksOn(recorded),
        },
      });
  }
  return told;
}

/** The record, or what is wrong with it. */
function readRecord(text: string | undefined): LxcRecord | string {
  if (text === undefined) return "its creation was cut off";
  try {
    return lxcRecord.parse(JSON.parse(text));
  } catch (error) {
    return `its record cannot be read: ${messageOf(error)}`;
  }
}

function remarksOn({ idMap, privileged }: LxcRecord): string[] {
  if (idMap !== undefined) return [];
  return [privileged ? "root inside is root of the node: spec.lxc.privileged says so" : "root inside is root of the node: the node has no subordinate ids for root (a line root:START:65536 in /etc/subuid and /etc/subgid, and the package uidmap)"];
}

function broken(id: string, problem: string): Instance {
  return {
    id, owner: ownerIn(id), generation: 0, specHash: "", state: "broken", startId: undefined, startedAt: undefined, exitCode: undefined, outOfMemory: false, address: undefined, ports: [], runDir, problems: [problem],
  };
}

function ownerIn(id: string): InstanceOwner {
  const [, cluster = "", uid = ""] = /^vendetta-([^-]+)-(.+)$/.exec(id) ?? [];
  return { cluster, uid, namespace: "", name: "" };
}
