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
# Between two runs, on a line of its own: how the older one ended.
v_mark() {
  [ "$v_current" -gt 0 ] || return 0
  v_how='ended, and nobody saw how'
  if read -r v_code v_at 2>/dev/null <"$v_run/$v_service/$v_current/exit"; then
    if [ "$v_code" -gt 128 ] && v_signal=$(kill -l "$((v_code - 128))" 2>/dev/null); then v_how="was ended by SIG$v_signal"
    else v_how="ended with exit code $v_code"; fi
  fi
  if [ -n "$(tail -c 1 <"$v_log" 2>/dev/null)" ]; then echo; fi
  printf -- '--- run %s %s; run %s follows ---\\n' "$v_current" "$v_how" "$v_number"
}

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
    v_mark || exit 0
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
