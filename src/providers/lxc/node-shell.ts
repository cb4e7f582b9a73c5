import { messageOf } from "../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";

export interface NodeShell {
  readonly transport: Transport;
}

export interface ScriptOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly outputBytesMax?: number;
}

const refusedCode = 90;
const saidCharsMax = 500;

/**
 * Before each script: programs of administrators are found by an account's bare PATH too, and `no REASON MESSAGE` refuses.
 * `hold DIRECTORY [OPTION OF FLOCK…]` makes it if need be and holds its lock until the script ends; 1: not within the time that the option says.
 * `alive` says whether the init that the hook has noted in $home still is that process: sets pid, started, boot, since. `in_home` waits
 * for its turn with an instance and makes its directory.
 */
const preamble = `
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
export PATH
umask 022
no() { printf '!%s %s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ')"; exit ${refusedCode}; }
alive() {
  pid= started= boot= since=
  { read -r pid started boot since <"$home/init"; } 2>/dev/null || return 1
  read -r now </proc/sys/kernel/random/boot_id
  [ "$boot" = "$now" ] || return 1
  { IFS= read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
  set -- \${stat##*) }
  [ "$1" != Z ] && [ "\${20}" = "$started" ]
}
hold() {
  held=$1 round=0 said=
  shift
  while [ $round -lt 100 ]; do
    round=$((round + 1))
    [ -d "$held" ] || said=$(mkdir -p -m 700 "$held" 2>&1)
    # An exec that fails ends dash and busybox's sh, without "command" before it.
    { command exec 9>>"$held/lock"; } 2>/dev/null || continue
    flock "$@" 9 || return 1
    # Whoever waited may have the lock of a directory that was removed meanwhile.
    [ /proc/self/fd/9 -ef "$held/lock" ] && return 0
  done
  no Busy "$held/lock cannot be held: \${said:-it cannot be written, or is removed again and again}"
}
in_home() { hold "$home" -w 60 || no Busy "somebody else has been at work on $home for a minute"; }
`;

/** These will not come right by trying again. */
const final: ReadonlySet<string> = new Set(["InvalidSpec", "ImageChecksumMismatch"]);

/**
 * Runs a script of sh on the node and tells what it printed.
 * @throws ProviderError with the script's own reason, EngineUnreachable when it could not be run, `EngineFailed` when it ended otherwise
 */
export async function runScript({ transport }: NodeShell, script: string, args: readonly string[], options: ScriptOptions): Promise<string> {
  const { signal, timeoutMs, stdin, env, outputBytesMax } = options;
  const result = await transport.run(["sh", "-c", preamble + script, "sh", ...args], { signal, timeoutMs, stdin, env, outputBytesMax }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
  });
  if (result.code === 0) return result.stdout;
  const [, reason, message] = (result.code === refusedCode && /^!(\w+) (.*)$/m.exec(result.stdout)) || [];
  if (reason !== undefined && message !== undefined) throw new ProviderError(reason, message.slice(0, saidCharsMax * 4), !final.has(reason));
  throw new ProviderError("EngineFailed", `a step on ${transport.name} ended with ${result.code ?? result.signal}: ${result.stderr.trim().slice(-saidCharsMax) || "it said nothing"}`, true);
}
