import { newlineVariable } from "../../src/base/sh-quote.ts";

/*
 * What runs inside an instance, as text for POSIX sh: dash, busybox ash and bash (as `sh`) all run it, and the conformance
 * suite does so. Other programs used: setsid, mkfifo, dd, mv, mkdir, rm, cat, date, wc, sleep, tail. Variables start with
 * v_. Function-local variables are not POSIX, so all are global. `kill -NAME -PID` is the one form for a process group that
 * all three understand. A redirection that fails ends a shell when it stands on a special builtin (`:`, `exec`, `set`):
 * here such redirections stand on ordinary commands.
 *
 * Files, below the instance's runDir. All but log and script are one line; a line without its newline is not written yet.
 *
 *   control           "pid start pid start bootId" of the control shell and of its reader
 *   supervise-HASH.sh the supervise script, where it could be written; several lines
 *   events            FIFO: "E service number code" when a run has ended
 *   SERVICE/N/meta    "hash startedAt token"
 *   SERVICE/N/pid     "pid start bootId pid start" of the command and of its supervisor; "-" when it was given up
 *   SERVICE/N/stop    seconds since the epoch, when SIGTERM was first sent
 *   SERVICE/N/exit    "code seconds"
 *   SERVICE/N/log     and log.1, the older half
 */

/** Functions that both scripts begin with. */
export const scriptLibrary = `
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
