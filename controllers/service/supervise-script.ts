import { scriptLibrary } from "./script-library.ts";
import { newlineVariable } from "../../src/base/sh-quote.ts";
import { fingerprint } from "../fingerprint.ts";

/** Bytes read from the log pipe before its size is looked at: a read is at most `logReadBytes`, a round `logReadsPerRound` reads. */
const logReadBytes = 4096;
const logReadsPerRound = 512;
/** A log this large is moved aside after a round, so one file stays below twice this, and both below four times: `runLogBytesMax`. */
const logRotateBytes = 2 * 1024 * 1024;
/** What a command leaves running in its session gets this long after SIGTERM when the command ended by itself … */
const leftoverGraceSeconds = 5;
/** … and this long when it was told to stop: the controller, which knows the grace period, sends SIGKILL before that. */
const leftoverGraceWhenStoppingSeconds = 600;

/**
 * Supervises one run: NAME, which is there for who lists processes; `$0` lies in the run directory. The rest is three lines on
 * stdin: `SERVICE NUMBER UMASK BOOTID SETSID`, `set -- CWD NAME WORD...` and `export NAME=VALUE...` (or `:`). So a list of
 * processes says `sh RUNDIR/supervise-HASH.sh web`, and neither script nor argument nor environment shows there.
 *
 * The shell that reads this ends (is killed, with its own consent) as soon as the pid is on record; what goes on are its two
 * pipeline halves, the supervisor and the logger. That is how they get away from the control shell: a job begun with `&`
 * ignores SIGINT and SIGQUIT for ever, in all its descendants, and a POSIX shell cannot undo it. The logger does the
 * killing, when an empty line comes through its pipe: a shell that has not begun its logger yet would take the log along.
 */
export const superviseScript = `${scriptLibrary}
v_run=\${0%/*}
read -r v_service v_number v_umask v_boot v_setsid && IFS= read -r v_command && IFS= read -r v_exports || exit 125
v_dir=$v_run/$v_service/$v_number
exec </dev/null
umask 077

# The command's own process, before it becomes the command. Its pid is on record before anything of it runs; the file is
# made exclusively, so that a run that was given up meanwhile never comes to life.
v_become() {
  v_stat self || exit 125
  set -C
  printf '%s %s %s %s\\n' "$v_pid" "$v_start" "$v_boot" "$v_supervisor" 2>/dev/null >"$v_dir/pid" || exit 125
  set +C
  # The logger's word that the pid is on record.
  echo
  umask "$v_umask"
  exec 2>&1
  eval "$v_command"
  if [ -n "$1" ]; then
    if ! cd "$1" 2>/dev/null; then
      if [ -d "$1" ]; then printf 'vendetta: cannot start: working directory %s: permission denied\\n' "$1"
      else printf 'vendetta: cannot start: working directory %s does not exist\\n' "$1"; fi
      exit 126
    fi
  fi
  shift
  v_name=$1
  shift
  set -- "$v_name" "$v_setsid" "$@"
  # From here on nothing of ours is in a variable: the environment may set any of them.
  eval "$v_exports" 2>/dev/null
  v_exec "$@"
}

v_exec() {
  case $1 in
    */*)
      if [ -d "$1" ]; then printf 'vendetta: cannot start: %s is a directory\\n' "$1"; exit 126; fi
      if [ ! -e "$1" ]; then printf 'vendetta: cannot start: %s: no such file\\n' "$1"; exit 127; fi
      if [ ! -x "$1" ]; then printf 'vendetta: cannot start: %s is not executable (chmod +x it)\\n' "$1"; exit 126; fi
      ;;
    *)
      if ! command -v "$1" >/dev/null 2>&1; then
        printf 'vendetta: cannot start: %s: command not found (PATH is %s)\\n' "$1" "$PATH"
        exit 127
      fi
      ;;
  esac
  shift
  exec "$@"
}

# What the command left running in its session: asked to end unless it was already, given time, then forced. The exit is
# on record only afterwards, so that the next run does not meet the last one's processes, still holding its port.
v_clear() {
  kill -0 -"$v_leader" 2>/dev/null && v_members "$v_leader" || return 0
  if [ -f "$v_dir/stop" ]; then v_grace=${leftoverGraceWhenStoppingSeconds}
  else v_grace=${leftoverGraceSeconds}; v_send TERM "$v_leader"; fi
  v_waited=0
  while v_members "$v_leader"; do
    if [ "$v_waited" -ge "$((v_grace * 10))" ]; then v_send KILL "$v_leader"; return 0; fi
    if [ "$v_waited" -lt 20 ] && sleep 0.1 2>/dev/null; then v_waited=$((v_waited + 1))
    else sleep 1; v_waited=$((v_waited + 10)); fi
  done
}

v_supervise() {
  # Handled, not ignored: what a shell ignores, its children ignore too.
  trap : HUP INT TERM
  v_stat self
  v_supervisor="$v_pid $v_start"
  (v_become)
  v_code=$?
  trap '' HUP INT TERM PIPE
  exec >/dev/null
  v_leader=
  read -r v_leader v_rest 2>/dev/null <"$v_dir/pid"
  # When somebody gave this run up, they have said so, and there is nothing to add.
  case $v_leader in '' | *[!0-9]*) exit ;; esac
  v_clear
  v_seconds=$(date +%s)
  if ! printf '%s %s\\n' "$v_code" "$v_seconds" >"$v_dir/exit"; then
    # Full, perhaps of logs: the code is worth more than their older halves.
    rm -f "$v_run"/*/*/log.1
    printf '%s %s\\n' "$v_code" "$v_seconds" >"$v_dir/exit"
  fi
  # Open for reading too, so that it does not wait for a reader; without one the line is lost, which costs only time.
  if [ -p "$v_run/events" ]; then printf 'E %s %s %s\\n' "$v_service" "$v_number" "$v_code" 1<>"$v_run/events"; fi
}

# Copies the pipe to the log as it comes: dd writes what each read brings. After ${logReadsPerRound} reads it ends, and the
# counts it prints tell whether it ended for that or because the pipe did. Nothing here runs while nothing is logged.
# A log that cannot be written (disk full, directory gone) loses lines and never blocks or ends the command.
v_logger() {
  trap '' HUP INT TERM
  # A shell reads a pipe byte by byte here, so what the command says at once is still there for dd. No line: given up.
  read -r v_ready || exit
  kill -KILL $$
  while :; do
    # By exec: else some shells keep a third process waiting, for as long as the service runs.
    v_counts=$(export LC_ALL=C; exec dd bs=${logReadBytes} count=${logReadsPerRound} 2>&1 >>"$v_dir/log") ||
      v_counts=$(export LC_ALL=C; exec dd bs=${logReadBytes} count=${logReadsPerRound} 2>&1 >/dev/null)
    # "FULL+PARTIAL records in", maybe after a warning about partial reads.
    v_full=\${v_counts%%+*} v_full=\${v_full##*$${newlineVariable}}
    v_partial=\${v_counts#*+} v_partial=\${v_partial%%[!0-9]*}
    case $v_full-$v_partial in
      *[!0-9-]* | -* | *-)
        printf '%svendetta: the log ends here: dd said: %s%s' "$${newlineVariable}" "$v_counts" "$${newlineVariable}" >>"$v_dir/log"
        exec cat >/dev/null
        ;;
    esac
    [ "$((v_full + v_partial))" -eq ${logReadsPerRound} ] || break
    v_size=$(wc -c <"$v_dir/log") || continue
    if [ "$((v_size))" -ge ${logRotateBytes} ]; then mv -f "$v_dir/log" "$v_dir/log.1"; fi
  done
}

v_supervise 2>/dev/null | v_logger 2>/dev/null`;

/** Of the file in the run directory that holds the script. Versions have names of their own, as one may run beside another. */
export const superviseFileName = `supervise-${fingerprint(superviseScript).slice(0, 12)}.sh`;
