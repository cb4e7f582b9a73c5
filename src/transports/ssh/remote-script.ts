import { newlineVariable, shQuote } from "../../base/sh-quote.ts";

// What is run on the machine: POSIX sh, so that dash, bash and busybox all do. Scripts travel as lines over the
// stdin of a shell that was started with nothing but `bootstrap` on its command line. `read` takes a pipe's bytes one by one
// (POSIX: "read", for input that cannot be sought), so what follows the line is left to the command.

/**
 * What sshd hands to the account's login shell. Means the same to sh, bash, dash, zsh, fish and csh: no quote, backslash,
 * newline or exclamation mark is inside the single quotes.
 */
export const bootstrap = `exec /bin/sh -c 'IFS= read -r vendetta_line && eval "$vendetta_line"'`;

/** Why a command could not be started, as the script tells it. */
export type StartFailure = "directory" | "program" | "executable" | "terminal" | "abandoned";

/** What a started command tells of itself before anything else. */
export interface StartMark {
  readonly pid: number;
  /** Start time in the kernel's ticks (field 22 of /proc/PID/stat); "-" on a machine without /proc. */
  readonly startTime: string;
}

/** The longest start mark and the noise of a login shell before it. */
export const noiseBytesMax = 256 * 1024;

export interface CommandScript {
  readonly argv: readonly string[];
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** A word that nothing else says. */
  readonly nonce: string;
  /** Directory of the session keeper, where the command enters itself; undefined when there is none. */
  readonly keeperDir: string | undefined;
}

/**
 * The line that makes a shell ready to become a command by one more line, `commandScript`. sshd makes each command a session of its
 * own; where another server does not, setsid does. It keeps the process's id unless that leads a group, and then the group will do.
 */
export const preamble = [
  `v_no() { printf '%s!%s;' "$v_nonce" "$1"; exit 127; }`,
  "v_start=-",
  `if { IFS= read -r v_stat </proc/$$/stat; } 2>/dev/null; then set -- \${v_stat##*) }; v_start=\${20}; ` +
    `if [ "$4" != $$ ] && [ "$3" != $$ ] && [ -z "\${vendetta_again-}" ] && command -v setsid >/dev/null 2>&1; then vendetta_again="$vendetta_line"; export vendetta_again; exec setsid /bin/sh -c 'vendetta_line=$vendetta_again; eval "$vendetta_line"'; fi; fi`,
  "unset vendetta_again",
  // Enters itself with the keeper before it is the command; when that is gone, so is the connection, and nothing runs.
  `v_go() { case $1 in */*) [ -e "$1" ] || v_no program; { [ -f "$1" ] && [ -x "$1" ]; } || v_no executable;; *) command -v "$1" >/dev/null 2>&1 || v_no program;; esac; ` +
    `[ -z "$v_dir" ] || { printf '%s\\n' "$v_start" >"$v_dir/$$"; } 2>/dev/null || v_no abandoned; ` +
    `[ -n "$v_tty" ] || printf '%s+;' "$v_nonce" >&2; printf '%s+%s %s;' "$v_nonce" $$ "$v_start"; exec "$@"; }`,
  `IFS= read -r vendetta_line && eval "$vendetta_line"`,
].join("; ");

/**
 * One line by which a shell that has read the preamble becomes the command: the process's id stays the same from login shell
 * to command, so that sshd itself tells its end.
 * @throws RangeError for what no argument and no variable can hold
 */
export function commandScript({ argv, cwd, env, tty, nonce, keeperDir }: CommandScript): string {
  const assignments = Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new RangeError(`cannot hand on the environment variable "${name}": over SSH names are letters, digits and underscores`);
    return `${name}=${shQuote(value)}`;
  });
  const words = argv.map(shQuote).join(" ");
  const directory = cwd === undefined ? undefined : shQuote(cwd);
  const needsNewline = [words, directory ?? "", ...assignments].some((text) => text.includes(`$${newlineVariable}`));
  return [
    `v_nonce=${nonce} v_tty=${tty ? 1 : ""} v_dir=${keeperDir === undefined ? "" : shQuote(keeperDir)}`,
    // The terminal came without these two, so that the lines are neither shown nor cut; now it gets them.
    ...(tty ? ["stty icanon echo 2>/dev/null || v_no terminal"] : []),
    ...(needsNewline ? [`${newlineVariable}=$(printf '\\nx'); ${newlineVariable}=\${${newlineVariable}%x}`] : []),
    ...(directory === undefined ? [] : [`{ cd ${directory}; } >/dev/null 2>&1 || v_no directory`]),
    ...(assignments.length === 0 ? [] : [`export ${assignments.join(" ")}`]),
    `v_go ${words}`,
  ].join("; ");
}

/** Looks for the start mark in what a command's stdout began with. Undefined: not there yet. `rest` is the command's own. */
export function parseStart(text: Buffer, nonce: string): { readonly started: StartMark | StartFailure; readonly rest: Buffer } | undefined {
  const at = text.indexOf(nonce, 0, "latin1");
  if (at < 0) return undefined;
  const end = text.indexOf(";", at + nonce.length, "latin1");
  if (end < 0) return undefined;
  const said = text.toString("latin1", at + nonce.length, end);
  const rest = text.subarray(end + 1);
  if (said.startsWith("!")) return { started: said.slice(1) as StartFailure, rest };
  const [pid, startTime] = said.slice(1).split(" ");
  return { started: { pid: Number(pid), startTime: startTime ?? "-" }, rest };
}

export interface KeeperScript {
  readonly nonce: string;
  /** Name of the directory, without its place. */
  readonly name: string;
  /** Whole paths of keepers of connections that were lost: what they kept is ended. */
  readonly leftovers: readonly string[];
  /** The same of keepers of this connection that somebody ended: what they kept is ended with the connection. */
  readonly adopted: readonly string[];
}

/**
 * The session keeper: one shell a connection. It ends sessions when told, and all that it knows of when the connection is
 * gone: sshd itself leaves a command without a terminal running then.
 *
 * It notes which sshd carries it, too. One that does not know yet that its connection is lost goes on listening on the ports it was
 * asked to, so whoever ends what a lost connection left ends that sshd first: by its pid, start time and name, and never a live one's.
 *
 * Takes lines: `k PID START SIGNAL` signals a session and answers `k PID;`, `f PID …` forgets. A file named after each pid holds the
 * start time, so that a recycled pid is never signalled. The number of a session is not given out again while any process is in it.
 */
export function keeperScript({ nonce, name, leftovers, adopted }: KeeperScript): string {
  return [
    "trap '' PIPE HUP INT",
    "umask 077",
    `for v_base in /dev/shm "\${XDG_RUNTIME_DIR:-/tmp}" /tmp "$HOME"; do v_dir=$v_base/${name}; mkdir "$v_dir" 2>/dev/null && break; v_dir=; done`,
    // PID START SIGNAL: every process of the session that PID began. Sets v_hit when there was one.
    `v_kill() { v_pid=$1 v_was=$2 v_sig=$3 v_hit=; ` +
      `if { IFS= read -r v_stat </proc/$$/stat; } 2>/dev/null; then ` +
      `if { IFS= read -r v_stat </proc/$v_pid/stat; } 2>/dev/null; then set -- \${v_stat##*) }; [ "\${20}" = "$v_was" ] || return 0; kill -s $v_sig $v_pid 2>/dev/null && [ "$1" != Z ] && v_hit=1; fi; ` +
      `for v_file in /proc/[0-9]*/stat; do { IFS= read -r v_stat <$v_file; } 2>/dev/null || continue; set -- \${v_stat##*) }; [ "$4" = $v_pid ] && [ "$1" != Z ] || continue; ` +
      `v_it=\${v_file#/proc/}; kill -s $v_sig \${v_it%/stat} 2>/dev/null && v_hit=1; done; ` +
      `else kill -s $v_sig -$v_pid 2>/dev/null && v_hit=1; fi; }`,
    // Once is not enough when it forks while it is looked through.
    `v_end() { v_kill $1 $2 $3; if [ "$3" = KILL ]; then for v_try in 1 2 3 4 5; do [ -n "$v_hit" ] || break; v_kill $1 $2 KILL; done; fi; }`,
    // All that entered itself there. The directory is renamed first: a command that is about to enter itself cannot any more, and does not start.
    `v_all() { mv "$1" "$1.gone" 2>/dev/null || return 0; v_any=; ` +
      `for v_sign in TERM KILL; do for v_entry in "$1.gone"/*; do [ -f "$v_entry" ] || continue; IFS= read -r v_start <"$v_entry"; v_end "\${v_entry##*/}" "$v_start" $v_sign; [ -z "$v_hit" ] || v_any=1; done; ` +
      `[ -n "$v_any" ] || break; [ $v_sign = KILL ] || sleep 0.2 2>/dev/null || sleep 1; done; rm -rf "$1.gone"; }`,
    // A name that no pid's entry has.
    `v_sshd() { { IFS= read -r v_stat </proc/$1/stat; } 2>/dev/null || return 1; case $v_stat in "$1 (sshd"*) ;; *) return 1;; esac; set -- \${v_stat##*) }; v_began=\${20}; }`,
    `[ -z "$v_dir" ] || ! v_sshd $PPID || printf '%s %s\\n' $PPID "$v_began" >"$v_dir/.sshd"`,
    `v_lost() { if { IFS=' ' read -r v_1 v_2 <"$1/.sshd"; } 2>/dev/null && v_sshd "$v_1" && [ "$v_began" = "$v_2" ]; then kill "$v_1" 2>/dev/null; fi; v_all "$1"; }`,
    `printf '%s+%s;' ${nonce} "$v_dir"`,
    ...leftovers.map((path) => `v_lost ${shQuote(path)}`),
    `while IFS=' ' read -r v_verb v_1 v_2 v_3; do case $v_verb in k) v_end $v_1 $v_2 $v_3; printf 'k %s;' $v_1;; f) [ -z "$v_dir" ] || (cd "$v_dir" && rm -f $v_1 $v_2 $v_3);; esac; done`,
    `[ -z "$v_dir" ] || v_all "$v_dir"`,
    ...adopted.map((path) => `v_all ${shQuote(path)}`),
  ].join("; ");
}
