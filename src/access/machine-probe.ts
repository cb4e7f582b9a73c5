import { timeoutSignal, type Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Transport } from "../transports/transport.ts";
import { AccessError, type Step } from "./access.ts";

const probeMsMax = 20_000;
/** Less than this is told. */
const freeKiBMin = 1024 * 1024;
/** A clock that is further off is told. The machine tells whole seconds. */
const skewSecondsMax = 2;

/** Portable over busybox and coreutils: one `key=value` a line. */
const script = `
echo "system=$(uname -s)"; echo "machine=$(uname -m)"; echo "kernel=$(uname -r)"; echo "now=$(date +%s)"; echo "uid=$(id -u)"; echo "home=$HOME"; echo "shell=\${SHELL:-sh}"
[ -d "$HOME" ] && [ -w "$HOME" ] && echo writable=yes
df -Pk "$HOME" | while read -r fs size used free rest; do echo "free=$free"; done
`;

/** Answers the engine's version, or why there is none. */
export type EngineProbe = (transport: Transport, socketPath: string, signal: AbortSignal) => Promise<{ readonly version: string } | { readonly problem: string }>;

export interface ProbedMachine {
  /** Present when it is not the usual one. */
  readonly dockerSocketPath?: string | undefined;
}

export interface ProbeWish {
  readonly onStep: (step: Step) => void;
  /** Where a Docker engine must answer. Absent: the usual places are tried. */
  readonly dockerSocketPath?: string | undefined;
  /** The machine is a Node already: an engine that does not answer is only told. */
  readonly engineMayBeMissing?: boolean | undefined;
}

const usualSocket = "/var/run/docker.sock";

/** Looks at a machine step by step. @throws AccessError about what no Node can do without */
export async function probeMachine(transport: Transport, clock: Clock, probeEngine: EngineProbe, { onStep, dockerSocketPath, engineMayBeMissing }: ProbeWish, parent: AbortSignal): Promise<ProbedMachine> {
  using bound = timeoutSignal(clock, probeMsMax, "looking at the machine", parent);
  const { signal } = bound;
  const told = (name: string, text: string, isRemark = false) => onStep({ name, state: isRemark ? "remark" : "done", text });

  onStep({ name: "shell", state: "running", text: "" });
  const begun = clock.now();
  const { code, stdout, stderr } = await transport.run(["sh", "-c", script], { timeoutMs: probeMsMax, signal });
  const ended = clock.now();
  const facts = new Map(stdout.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()] as const));
  const fact = (name: string) => facts.get(name) ?? "";
  if (fact("system") === "") throw new AccessError(`its shell does not do what sh does (exit code ${code}: ${stderr.trim().slice(0, 200)}); sh, uname, date, id and df are needed there`);
  if (fact("system") !== "Linux") throw new AccessError(`it runs ${fact("system")}; a Node needs Linux`);
  told("shell", `${fact("shell")} on ${fact("system")} ${fact("kernel")} ${fact("machine")}`);

  if (fact("writable") !== "yes") throw new AccessError(`nothing can be written to the home there (${fact("home") || "there is none"}); make it writable for this user, or take another user`);
  const freeKiB = Number(fact("free"));
  const free = Number.isFinite(freeKiB) && fact("free") !== "" ? `${(freeKiB / 2 ** 20).toFixed(1)} GiB free in ${fact("home")}` : "the machine does not tell";
  told("space", freeKiB < freeKiBMin ? `${free}; that is little` : free, !(freeKiB >= freeKiBMin));

  const skewSeconds = skewOf(Number(fact("now")), begun, ended);
  const isOff = Math.abs(skewSeconds) > skewSecondsMax;
  told("clock", isOff ? `${Math.abs(skewSeconds)} s ${skewSeconds < 0 ? "behind" : "ahead of"} this machine's; times of files and logs will differ: set it by NTP` : "as this machine's", isOff);

  onStep({ name: "docker", state: "running", text: "" });
  const problems: string[] = [];
  for (const socketPath of dockerSocketPath === undefined ? [usualSocket, `/run/user/${fact("uid")}/docker.sock`] : [dockerSocketPath]) {
    const engine = await probeEngine(transport, socketPath, signal).catch((error: unknown) => ({ problem: messageOf(error) }));
    if ("version" in engine) {
      told("docker", `${engine.version} at ${socketPath}`);
      return socketPath === usualSocket ? {} : { dockerSocketPath: socketPath };
    }
    problems.push(engine.problem);
  }
  signal.throwIfAborted();
  if (dockerSocketPath !== undefined && engineMayBeMissing !== true) throw new AccessError(`no Docker engine answers at ${dockerSocketPath}: ${problems[0]}`);
  told("docker", `not usable: ${problems[0]}; Workspaces of provider host can run there`, true);
  return {};
}

/** Whole seconds that the machine's clock is ahead at least, which told its time at some moment between two of ours, in ms; 0 when it may be right. */
export function skewOf(theirSeconds: number, begunMs: number, endedMs: number): number {
  const behindMs = begunMs - (theirSeconds + 1) * 1000;
  const aheadMs = theirSeconds * 1000 - endedMs;
  return behindMs > 0 ? 0 - Math.floor(behindMs / 1000) : aheadMs > 0 ? Math.floor(aheadMs / 1000) : 0;
}
