/** In the environment of everything an instance runs; how its processes are found again, whoever their parent is by then. */
export const instanceMark = "VENDETTA_INSTANCE";

/** Says which programs are missing, one after the other, and fails when any is. */
export const probeScript = `
missing=
for program in setsid mkfifo dd mv rm mkdir cat grep sleep; do command -v $program >/dev/null 2>&1 || missing="$missing $program"; done
if [ -n "$missing" ]; then echo $missing; exit 1; fi
read -r _ _ kernel _ < /proc/version && echo "linux $kernel"
`;

/**
 * $1 instance id. One line for each of its processes: /proc's stat, of which the end is read; then the length of a tick and
 * of a page. What has ended is not counted any more.
 */
export const usageScript = `
grep -l "${instanceMark}=$1" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid _; do cat "/proc/$pid/stat" 2>/dev/null; done
echo "ticks $(getconf CLK_TCK 2>/dev/null || echo 100) page $(getconf PAGESIZE 2>/dev/null || echo 4096)"
`;

/**
 * $1 instance id, $2 grace in seconds. SIGTERM to everything that carries the mark, SIGKILL to what is left after the
 * grace. A zombie has no environment, so only the living are found; the script itself does not carry the mark.
 */
export const endProcessesScript = `
id=$1 grace=$2
find_all() {
  grep -l "${instanceMark}=$id" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid _; do printf '%s ' "$pid"; done
}
all=$(find_all)
[ -z "$all" ] && exit 0
kill -TERM $all 2>/dev/null
tenths=$((grace * 10))
while [ $tenths -gt 0 ]; do
  all=$(find_all)
  [ -z "$all" ] && exit 0
  sleep 0.1
  tenths=$((tenths - 1))
done
# A process that forks while we look is found the next time round.
tries=50
while [ $tries -gt 0 ]; do
  all=$(find_all)
  [ -z "$all" ] && exit 0
  kill -KILL $all 2>/dev/null
  sleep 0.05
  tries=$((tries - 1))
done
echo "still alive: $all" >&2
exit 1
`;
