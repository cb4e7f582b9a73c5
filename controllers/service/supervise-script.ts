import { newlineVariable } from "./sh-quote.ts";

/*
 * What runs inside an instance, as text for POSIX sh: dash, busybox ash and bash (as `sh`) all run it, and the conformance
 * suite does so. Other programs used: setsid, mkfifo, dd, mv, mkdir, rm, cat, date, wc, sleep, tail. Variables start with
 * v_. Function-local variables are not POSIX, so all are global. `kill -NAME -PID` is the one form for a process group that
 * all three understand. A redirection that fails ends a shell when it stands on a special builtin (`:`, `exec`, `set`):
 * here such redirections stand on ordinary commands.
 *
 * Files, below the instance's runDir. All but the log are one line; a line without its newline is not written yet.
 *
 *   control           "pid start pid start bootId" of the control shell and of its reader
 *   events            FIFO: "E service number code" when a run has ended
 *   SERVICE/N/meta    "hash startedAt token"
 *   SERVICE/N/pid     "pid start bootId pid start" of the command and of its supervisor; "-" when it was given up
 *   SERVICE/N/stop    seconds since the epoch, when SIGTERM was first sent
 *   SERVICE/N/exit    "code seconds"
 *   SERVICE/N/log     and log.1, the older half
 */

/** Bytes read from the log pipe before its size is looked at: a read is at most `logReadBytes`, a round `logReadsPerRound` reads. */
const logReadBytes = 4096;
const logReadsPerRound = 512;
/** A log this large is moved aside after a round, so one file stays below twice this, and both below four times: `runLogBytesMax`. */
const logRotateBytes = 2 * 1024 * 1024;
/** What a command leaves running in its session gets this long after SIGTERM when the command ended by itself … */
const leftoverGraceSeconds = 5;
/** … and this long when it was told to stop: the controller, which knows the grace period, sends SIGKILL before that. */
const leftoverGraceWhenStoppingSeconds = 600;

/** Exit code of the control shell when its directory cannot be used. */
export const runDirUnusableCode = 70;

const library = `
${newlineVariable}='
'
IFS=' 	
'

# v_stat PID|self: reads v_pid v_state v_group v_session v_start from /proc. Fails when there is no such process.
# The name in parentheses may hold anything, newlines too, so everything up to the last parenthesis is skipped.
v_stat() {
  v_text=
  { while IFS= read -r v_part; do v_text="$v_text$v_part "; done </proc/"$1"/stat; } 2>/dev/null
  case $v_text in *') '*) ;; *) return 1 ;; esac
  v_pid=\${v_text%% *}
  set -- \${v_text##*) }
  [ $# -ge 20 ] || return 1
  v_state=$1 v_group=$3 v_session=$4
  v_start=\${20}
}

# v_lives PID START: it is that process, not another that got its number, and no zombie.
v_lives() {
  v_stat "$1" && [ "$v_start" = "$2" ] || return 1
  case $v_state in Z | X | x) return 1 ;; esac
}

# v_members ID: lists in v_found the living processes of the session or group ID, and fails when there are none.
v_members() {
  v_found=
  v_every=$(cat /proc/[0-9]*/stat 2>/dev/null)
  IFS=$${newlineVariable}
  set -f
  for v_text in $v_every; do
    case $v_text in [0-9]*') '*) ;; *) continue ;; esac
    v_member=\${v_text%% *}
    v_fields=\${v_text##*) }
    # The fields are state, parent, group, session, ...
    case $v_fields in Z* | X* | x*) continue ;; *" $1 "*) ;; *) continue ;; esac
    v_rest=\${v_fields#* * }
    v_group=\${v_rest%% *} v_rest=\${v_rest#* }
    v_session=\${v_rest%% *}
    if [ "$v_group" = "$1" ] || [ "$v_session" = "$1" ]; then v_found="$v_found $v_member"; fi
  done
  set +f
  IFS=' 	
'
  [ -n "$v_found" ]
}

# v_send NAME PID: signals the whole session PID. The group first, at once; then those that left the group but not the
# session. Before its setsid the leader has no group of that number yet, so it is signalled as a process.
v_send() {
  kill -"$1" -"$2" 2>/dev/null || kill -"$1" "$2" 2>/dev/null
  v_members "$2" || return 0
  for v_member in $v_found; do
    if v_stat "$v_member" && [ "$v_session" = "$2" ] && [ "$v_group" != "$2" ]; then kill -"$1" "$v_member" 2>/dev/null; fi
  done
  return 0
}
`;

/**
 * Supervises one run: RUNDIR SERVICE NUMBER UMASK BOOTID SETSID. Two lines on stdin, so that no argument or environment
 * shows in a process list: `set -- CWD NAME WORD...` and `export NAME=VALUE...` (or `:`).
 *
 * The shell that reads this ends (is killed, with its own consent) as soon as the pid is on record; what goes on are its two
 * pipeline halves, the supervisor and the logger. That is how they get away from the control shell: a job begun with `&`
 * ignores SIGINT and SIGQUIT for ever, in all its descendants, and a POSIX shell cannot undo it.
 */
export const superviseScript = `${library}
v_run=$1 v_service=$2 v_number=$3 v_umask=$4 v_boot=$5 v_setsid=$6
v_dir=$v_run/$v_service/$v_number
IFS= read -r v_command && IFS= read -r v_exports || exit 125
exec </dev/null
umask 077
# Without setsid(1), job control gives the command at least a process group of its own, where the shell can do it.
[ -n "$v_setsid" ] || set -m 2>/dev/null

# The command's own process, before it becomes the command. Its pid is on record before anything of it runs; the file is
# made exclusively, so that a run that was given up meanwhile never comes to life.
v_become() {
  v_stat self || exit 125
  set -C
  printf '%s %s %s %s\\n' "$v_pid" "$v_start" "$v_boot" "$v_supervisor" 2>/dev/null >"$v_dir/pid" || exit 125
  set +C
  kill -KILL $$
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
  set -- "$v_name" \${v_setsid:+"$v_setsid"} "$@"
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
  while :; do
    v_counts=$(LC_ALL=C dd bs=${logReadBytes} count=${logReadsPerRound} 2>&1 >>"$v_dir/log") ||
      v_counts=$(LC_ALL=C dd bs=${logReadBytes} count=${logReadsPerRound} 2>&1 >/dev/null)
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

v_supervise 2>/dev/null | v_logger 2>/dev/null
`;

/**
 * The control shell of an instance: RUNDIR SUPERVISESCRIPT. Each line on stdin is evaluated as it comes:
 * `v_runs ID`, `v_start ID SERVICE HASH TOKEN` and the supervisor's two lines, `v_signal ID SERVICE NUMBER NAME`,
 * `v_forget ID SERVICE`. It says
 *
 *   H BOOTID                                                    first: ready
 *   R ID run SERVICE NUMBER HASH STARTED LIVES PID STOP CODE AT   "-" for what is not known
 *   R ID end | R ID error REASON MESSAGE...                     ends a reply
 *   E SERVICE NUMBER CODE                                       at any time
 *
 * Each line is one write of less than PIPE_BUF bytes, so that the two writers do not mix. No program is run to answer `v_runs`.
 */
export const controlScript = `${library}
v_run=$1 v_script=$2
v_umask=$(umask)
umask 077
v_setsid=$(command -v setsid)
mkdir -p "$v_run" || exit ${runDirUnusableCode}
if [ ! -p "$v_run/events" ]; then
  rm -rf "$v_run/events"
  mkfifo "$v_run/events" || [ -p "$v_run/events" ] || exit ${runDirUnusableCode}
fi
read -r v_boot </proc/sys/kernel/random/boot_id || exit ${runDirUnusableCode}

# One control shell at a time: two readers would each get half of the events.
v_read_control() {
  v_a=- v_b=- v_c=- v_d=- v_e=-
  [ ! -f "$v_run/control" ] || read -r v_a v_b v_c v_d v_e <"$v_run/control"
  [ "$v_e" = "$v_boot" ]
}
if v_read_control; then
  if v_lives "$v_a" "$v_b"; then kill -KILL "$v_a"; fi
  if v_lives "$v_c" "$v_d"; then kill -KILL "$v_c"; fi
fi 2>/dev/null

# Lines are passed on one by one, each in one write. This shell alone holds the FIFO open for writing, on 9, which nothing
# that it starts may inherit: so the reader ends with it, however it ends, and with the reader the stream to the server.
exec 9<>"$v_run/events"
while IFS= read -r v_event; do printf '%s\\n' "$v_event"; done <"$v_run/events" 9>&- &
v_reader=$!
v_stat "$v_reader" && v_c=$v_start
v_stat self && printf '%s %s %s %s %s\\n' "$v_pid" "$v_start" "$v_reader" "$v_c" "$v_boot" >"$v_run/control" || exit ${runDirUnusableCode}

# v_latest SERVICE: v_number is its newest run, 0 when there is none.
v_latest() {
  v_number=0
  for v_dir in "$v_run/$1"/*/; do
    v_dir=\${v_dir%/}
    v_dir=\${v_dir##*/}
    case $v_dir in '' | *[!0-9]*) continue ;; esac
    if [ "$v_dir" -gt "$v_number" ]; then v_number=$v_dir; fi
  done
}

v_read_exit() { [ -f "$v_dir/exit" ] && read -r v_code v_at <"$v_dir/exit"; }

# v_look SERVICE NUMBER: v_alive is 1 while the run goes on, that is, until its supervisor has put the exit on record or is
# dead with the command. v_leader is the command's pid.
v_look() {
  v_dir=$v_run/$1/$2
  v_alive=0 v_hash=- v_began=0 v_token=- v_leader=- v_stop=- v_code=- v_at=-
  [ ! -f "$v_dir/meta" ] || read -r v_hash v_began v_token <"$v_dir/meta"
  [ ! -f "$v_dir/stop" ] || read -r v_stop <"$v_dir/stop"
  # Files that a full disk left empty must not shift the fields of a reply.
  v_hash=\${v_hash:--} v_began=\${v_began:-0} v_token=\${v_token:--} v_stop=\${v_stop:--}
  if v_read_exit; then return; fi
  v_code=- v_at=-
  # A run without a pid was cut off while it was being started: by the death of an older control shell, since this one
  # waits for the pid. It is given up by making the file that it would have to make. The command's process writes the file
  # right after making it, so an empty one is looked at again for a moment.
  set -C
  [ -e "$v_dir/pid" ] || printf -- '-\\n' 2>/dev/null >"$v_dir/pid"
  set +C
  v_again=0
  until read -r v_leader v_b v_boot_of_run v_c v_d 2>/dev/null <"$v_dir/pid"; do
    v_leader=-
    v_again=$((v_again + 1))
    [ "$v_again" -lt 1000 ] || return
  done
  [ "$v_leader" != - ] && [ "$v_boot_of_run" = "$v_boot" ] || return
  # In this order: the exit is written before the supervisor goes.
  if v_lives "$v_leader" "$v_b" || v_lives "$v_c" "$v_d"; then v_alive=1; return; fi
  v_read_exit || v_code=- v_at=-
}

# v_say ID SERVICE NUMBER: what v_look found.
v_say() { printf 'R %s run %s %s %s %s %s %s %s %s %s\\n' "$1" "$2" "$3" "$v_hash" "$v_began" "$v_alive" "$v_leader" "$v_stop" "$v_code" "$v_at"; }
v_end() { printf 'R %s end\\n' "$1"; }

v_note() { mkdir -p "$v_dir" && printf '%s\\n' "$1" >"$v_dir/meta"; }

v_runs() {
  for v_service in "$v_run"/*/; do
    v_service=\${v_service%/}
    v_service=\${v_service##*/}
    v_latest "$v_service"
    [ "$v_number" -gt 0 ] || continue
    v_look "$v_service" "$v_number"
    v_say "$1" "$v_service" "$v_number"
  done
  v_end "$1"
}

# A request that is sent again has the same token and finds its run, also when that has ended already.
v_start() {
  IFS= read -r v_command && IFS= read -r v_exports || exit
  v_latest "$2"
  if [ "$v_number" -gt 0 ]; then
    v_look "$2" "$v_number"
    if [ "$v_alive" = 1 ] || [ "$v_token" = "$4" ]; then
      v_say "$1" "$2" "$v_number"
      v_end "$1"
      return
    fi
  fi
  v_last=$v_number
  v_new=$((v_number + 1))
  v_dir=$v_run/$2/$v_new
  v_seconds=$(date +%s)
  if ! v_note "$3 $v_seconds $4"; then
    # Full, perhaps of logs (the directory may be a small tmpfs): a start is worth more than their older halves.
    rm -f "$v_run"/*/*/log.1
    v_note "$3 $v_seconds $4"
  fi 2>/dev/null
  if [ ! -s "$v_dir/meta" ]; then
    rm -rf "$v_dir"
    printf 'R %s error RunDirUnusable cannot write below %s\\n' "$1" "$v_run"
    return
  fi
  # Comes back when the pid is on record, see the supervise script. What the shell says of the killed one is of no interest.
  { printf '%s\\n%s\\n' "$v_command" "$v_exports" | \${v_setsid:+"$v_setsid"} sh -c "$v_script" vendetta-supervise "$v_run" "$2" "$v_new" "$v_umask" "$v_boot" "$v_setsid" >/dev/null; } 2>/dev/null 9>&-
  v_command= v_exports=
  v_look "$2" "$v_new"
  v_say "$1" "$2" "$v_new"
  v_end "$1"
  # Two runs are kept.
  for v_old in "$v_run/$2"/*/; do
    v_old=\${v_old%/}
    case \${v_old##*/} in "$v_new" | "$v_last") ;; *) rm -rf "$v_old" ;; esac
  done
}

v_signal() {
  v_latest "$2"
  if [ "$v_number" -gt 0 ] && [ "$v_number" = "$3" ]; then
    v_look "$2" "$3"
    # The command may have ended and left others in its session: they are of this run, unless its pid is another's by now,
    # for no number in use by a session is handed out again.
    if [ "$v_alive" = 1 ] && { ! v_stat "$v_leader" || [ "$v_start" = "$v_b" ]; }; then
      if [ "$4" = TERM ] && [ "$v_stop" = - ]; then date +%s >"$v_dir/stop"; fi
      v_send "$4" "$v_leader"
    fi
  fi
  v_end "$1"
}

v_forget() {
  v_latest "$2"
  if [ "$v_number" -gt 0 ]; then
    v_look "$2" "$v_number"
    if [ "$v_alive" = 1 ]; then printf 'R %s error StillRunning run %s is running\\n' "$1" "$v_number"; return; fi
  fi
  if rm -rf "$v_run/$2"; then v_end "$1"; else printf 'R %s error RunDirUnusable cannot remove %s\\n' "$1" "$v_run/$2"; fi
}

printf 'H %s\\n' "$v_boot"
while IFS= read -r v_line; do eval "$v_line"; done
`;

/**
 * Prints a log: RUNDIR SERVICE PREVIOUS TAIL FOLLOW, where PREVIOUS and FOLLOW are 0 or 1 and TAIL is a number of lines or
 * "all". Following goes on over rotation and into later runs, looks four times a second, and ends with its stdin, so that
 * none stays behind when the server dies.
 */
export const logsScript = `
v_run=$1 v_service=$2 v_previous=$3 v_tail=$4 v_follow=$5

# v_newest BELOW: v_number is the newest run with a smaller number (0: no bound); 0 when there is none.
v_newest() {
  v_number=0
  for v_dir in "$v_run/$v_service"/*/; do
    v_dir=\${v_dir%/}
    v_dir=\${v_dir##*/}
    case $v_dir in '' | *[!0-9]*) continue ;; esac
    if [ "$v_dir" -gt "$v_number" ] && { [ "$1" = 0 ] || [ "$v_dir" -lt "$1" ]; }; then v_number=$v_dir; fi
  done
}

# Opens the log of run v_current as descriptor 3, /dev/null while there is none.
v_open() {
  v_log=$v_run/$v_service/$v_current/log
  if [ "$v_current" -gt 0 ] && [ -r "$v_log" ]; then exec 3<"$v_log"; else exec 3</dev/null; fi
}
# The older half, unless that is what has just been opened.
v_older() {
  if [ -r "$v_log.1" ] && ! [ "$v_log.1" -ef /proc/self/fd/3 ]; then cat "$v_log.1"; fi
}
v_all() { v_older && cat <&3; }

v_newest 0
if [ "$v_previous" = 1 ]; then
  if [ "$v_number" -gt 0 ]; then v_newest "$v_number"; fi
  v_follow=0
fi
v_current=$v_number
v_open
# Descriptor 3 is shared with cat, so it stands afterwards exactly behind what was printed.
if [ "$v_tail" = all ]; then v_all; else v_all | tail -n "$v_tail"; fi
[ "$v_follow" = 1 ] || exit 0

exec 4<&0 </dev/null
{ while IFS= read -r v_line; do :; done; kill -TERM $$; } <&4 >/dev/null 2>&1 &
v_watcher=$!
exec 4<&-
trap 'kill -KILL $v_watcher 2>/dev/null; exit 0' TERM HUP INT
trap 'kill -KILL $v_watcher 2>/dev/null' EXIT

while :; do
  cat <&3 || exit 0
  v_newest 0
  if [ "$v_number" -gt "$v_current" ]; then
    # What its last moments added.
    cat <&3 || exit 0
    v_current=$v_number
    v_open
    v_all || exit 0
  elif [ "$v_current" -gt 0 ] && [ "$v_number" -lt "$v_current" ]; then
    # Forgotten.
    exit 0
  elif [ -r "$v_log" ] && ! [ "$v_log" -ef /proc/self/fd/3 ]; then
    # Moved aside: the logger is through with the one we hold, so its rest is all there. One more may lie between.
    cat <&3 || exit 0
    v_older || exit 0
    v_open
    continue
  fi
  sleep 0.25 2>/dev/null || sleep 1
done
`;
