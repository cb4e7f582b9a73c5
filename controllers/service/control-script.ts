import { scriptLibrary } from "./script-library.ts";
import { superviseFileName } from "./supervise-script.ts";

/** Exit code of the control shell when its directory cannot be used. */
export const runDirUnusableCode = 70;
/** Exit code of a control shell that finds no setsid(1): without sessions of their own, a command's children could not be ended. */
export const setsidMissingCode = 71;

/**
 * The control shell of an instance: RUNDIR, with the supervise script in v_supervise. Each line on stdin is evaluated as it
 * comes: `v_runs ID`, `v_start ID SERVICE HASH TOKEN NAME` and the command's two lines, `v_signal ID SERVICE NUMBER NAME`,
 * `v_forget ID SERVICE`. It says
 *
 *   H BOOTID                                                    first: ready
 *   R ID run SERVICE NUMBER HASH STARTED LIVES PID STOP CODE AT   "-" for what is not known
 *   R ID end | R ID error REASON MESSAGE...                     ends a reply
 *   E SERVICE NUMBER CODE                                       at any time
 *
 * Each line is one write of less than PIPE_BUF bytes, so that the two writers do not mix. No program is run to answer `v_runs`.
 */
export const controlScript = `${scriptLibrary}
v_run=$1 v_script=
v_file=$v_run/${superviseFileName}
v_umask=$(umask)
umask 077
v_setsid=$(command -v setsid) || exit ${setsidMissingCode}
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

# v_filed: whether the file holds the supervise script, made so when it does not. Its directory is writable by the user whose
# services run here, in Docker by every user of the container. So nothing is trusted for its name: before each start it must
# be a file of this user's with just this text. Another user cannot change it then; this user still could, and would gain
# nothing: whose processes may trace and end the supervisor as it is, and write the files that it writes.
v_is_filed() {
  [ -f "$v_file" ] && [ ! -h "$v_file" ] && [ -O "$v_file" ] && v_text=$(cat "$v_file") && [ "$v_text" = "$v_supervise" ]
}
v_filed() {
  v_is_filed && return
  rm -rf "$v_file" "$v_file.new"
  # Made exclusively, so that a link that another user put there is not written through.
  set -C
  printf '%s\\n' "$v_supervise" >"$v_file.new" && mv -f "$v_file.new" "$v_file" || rm -f "$v_file.new"
  set +C
  v_is_filed
}

# Files of other versions. A supervisor that runs from one has it open.
for v_old in "$v_run"/supervise-*.sh "$v_run"/supervise-*.sh.new; do
  [ ! -e "$v_old" ] || [ "$v_old" = "$v_file" ] || rm -f "$v_old"
done

# v_launch NAME: becomes the supervise script, in a session of its own. Where the file cannot be written, which a full disk
# is enough for, the script is an argument: long to look at, and as good.
v_launch() {
  if v_filed; then exec "$v_setsid" sh "$v_file" "$1"; fi
  exec "$v_setsid" sh -c "$v_supervise" "$v_run/supervise" "$1"
}

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
  { printf '%s\\n' "$2 $v_new $v_umask $v_boot $v_setsid" "$v_command" "$v_exports" | (v_launch "$5") >/dev/null; } 2>/dev/null 9>&-
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
