// Run on the node by sh, busybox's too. Paths and texts come as arguments.

/** Of the machine's console, most in each of the two files that are kept of it: what was said before the last ones goes. */
export const consoleLogBytesMax = 1024 * 1024;
/** Between QEMU's start and its answering. A node that is busy with other machines takes its time. */
export const launchSecondsMax = 30;

/** Defines `alive`: whether the run on record is a living process: pid, start time and boot agree, and it is no zombie. */
const aliveFunction = `
boot=$(cat /proc/sys/kernel/random/boot_id)
alive() {
  pid= started= was= since= port=
  { read -r pid started was since port < "$1/run"; } 2>/dev/null || return 1
  [ "$was" = "$boot" ] || return 1
  { read -r stat < "/proc/$pid/stat"; } 2>/dev/null || return 1
  set -- \${stat##*) }
  [ "$1" != Z ] && [ "\${20}" = "$started" ]
}
`;

/** $1 directory of all machines, $2 an id or a pattern of ids. Each machine's directory, line by line: see \`readMachines\`. */
export const lookScript = `${aliveFunction}
[ -d "$1" ] || exit 0
for home in "$1"/$2; do
  [ -d "$home" ] || continue
  echo "id \${home##*/}"
  [ -f "$home/instance.json" ] && { printf 'record '; cat "$home/instance.json"; echo; }
  [ -f "$home/ports.json" ] && { printf 'ports '; cat "$home/ports.json"; echo; }
  [ -f "$home/learned_host_key" ] && { printf 'key '; cat "$home/learned_host_key"; echo; }
  # The size that a qcow2 file's header tells, which is the true one also while it is in use.
  [ -f "$home/disk.qcow2" ] && echo "disk $(od -An -v -tu1 -j24 -N8 "$home/disk.qcow2")"
  for each in "$1/work/\${home##*/}"/disk-*.raw; do [ -f "$each" ] && stat -c 'more %s %n' "$each"; done
  if alive "$home"; then life=1; else
    life=0 tries=25
    # Whoever waits for it tells a moment later how it ended.
    while [ -n "$pid" ] && [ ! -e "$home/ended" ] && [ $tries -gt 0 ] && ! flock -n "$home/run.lock" true 2>/dev/null; do sleep 0.02; tries=$((tries - 1)); done
  fi
  ended=
  { read -r ended < "$home/ended"; } 2>/dev/null
  [ -n "$pid" ] && echo "run $pid $started $was $since $port $life $ended"
done
exit 0
`;

/**
 * $1 directory of the machine, $2 port of its sshd on the node, $3 most bytes of a console file, $4 seconds for its start, $5 how many
 * shared directories follow (program and directory of each), then QEMU's command. Starts it unless it runs. Everything that
 * belongs to a run is in one session with the keeper: the shell that writes the console's log.
 */
export const launchScript = `${aliveFunction}
home=$1 sshPort=$2 consoleMax=$3 seconds=$4 shares=$5; shift 5
cd "$home" || exit 3
exec 9>lock
flock 9
alive . && exit 0
rm -f run ended qmp.sock events.sock share*.sock
keeper='
  # Everything that belongs to this run holds it open: it is free when all of that has ended.
  exec 8>run.lock
  flock 8
  n=$1 max=$2 port=$3; shift 3
  i=0
  while [ $i -lt $n ]; do
    # Its options are parted by commas, which a path may hold.
    ln -sfn "$2" share$i.dir
    "$1" --socket-path=share$i.sock -o "source=$PWD/share$i.dir/." -o cache=auto -o xattr >share$i.log 2>&1 &
    i=$((i + 1)); shift 2
  done
  i=0
  while [ $i -lt $n ]; do tries=100; while [ ! -S share$i.sock ] && [ $tries -gt 0 ]; do sleep 0.02; tries=$((tries - 1)); done; i=$((i + 1)); done
  {
    sh -c '\\''
      port=$1; shift
      read -r stat < /proc/$$/stat
      boot=$(cat /proc/sys/kernel/random/boot_id)
      now=$(date +%s) pid=$$
      start=$(set -- \${stat##*) }; echo "\${20}")
      echo "$pid $start $boot $now $port" > run.new && mv -f run.new run && exec "$@" 2>qemu.log
    '\\'' sh "$port" "$@"
    echo $? > ended.new && mv -f ended.new ended
  } | {
    # dd writes what it reads at once, and counts reads: short ones, too. All of them done, the file is put aside.
    reads=$((max / 32)) all=$((max / 32))
    while [ $reads -ge $all ]; do
      [ -f console.log ] && mv -f console.log console.old
      LC_ALL=C dd bs=32 count=$all of=console.log 2>console.count || break
      while read -r reads words; do [ "$words" = "records in" ] && break; done < console.count
      reads=$((\${reads%+*} + \${reads#*+}))
    done
  }
  kill $(jobs -p) 2>/dev/null
'
setsid sh -c "$keeper" sh "$shares" "$consoleMax" "$sshPort" "$@" </dev/null >/dev/null 2>keeper.log 9>&- &
tries=$((seconds * 50))
while [ $tries -gt 0 ]; do
  [ -S qmp.sock ] && exit 0
  [ -f run ] && ! alive . && break
  sleep 0.02
  tries=$((tries - 1))
done
[ $tries -gt 0 ] || echo "QEMU did not begin within $seconds s"
for each in qemu.log keeper.log share*.log; do [ -s "$each" ] && tail -c 1000 "$each"; done
exit 1
`;

/**
 * $1 directory of the machine, $2 seconds to wait for its end. Then SIGTERM, on which QEMU writes out its disks and ends; then
 * SIGKILL. A process is signalled only while it is the one on record.
 */
export const endScript = `${aliveFunction}
home=$1
await() {
  tries=$(($1 * 20))
  while alive "$home"; do
    [ $tries -gt 0 ] || return 1
    sleep 0.05
    tries=$((tries - 1))
  done
}
await "$2" || { alive "$home" && kill -TERM "$pid" 2>/dev/null; await 3; } || { alive "$home" && kill -KILL "$pid" 2>/dev/null; await 5; } || { echo "process $pid does not end"; exit 1; }
[ -d "$home" ] || exit 0
exec 8>"$home/run.lock"
tries=100
until flock -n 8; do
  [ $tries -gt 0 ] || { echo "what helps process $pid does not end"; exit 1; }
  sleep 0.05
  tries=$((tries - 1))
done
rm -f "$home"/qmp.sock "$home"/events.sock "$home"/share*.sock
`;

/** $1 directory of the machine. Its processor time in ticks, and the length of a tick; nothing when it does not run. */
export const processorScript = `${aliveFunction}
alive "$1" || exit 0
set -- \${stat##*) }
echo "$((\${12} + \${13})) $(getconf CLK_TCK 2>/dev/null || echo 100)"
`;

/** $1 directory of the machine, $2 most bytes. */
export const consoleScript = `cat "$1/console.old" "$1/console.log" 2>/dev/null | tail -c "$2"; exit 0`;

/** Says what keeps machines from being run there: one missing program a line. Then QEMU's version, and what the accelerator is known to be. */
export const probeScript = `
for program in qemu-system-x86_64 qemu-img setsid flock timeout dd od tail; do command -v $program >/dev/null 2>&1 || echo "missing $program"; done
command -v qemu-system-x86_64 >/dev/null 2>&1 && qemu-system-x86_64 --version | head -n 1
exit 0
`;

/**
 * Finds out how machines are run fastest, once a boot and version of QEMU: a kernel module that is there may still not do
 * what a processor does, or do it slower than emulation. So the firmware must come to its end on it, and not take longer than emulated. $1 seconds for that.
 */
export const acceleratorScript = `
boot=$(cat /proc/sys/kernel/random/boot_id)
mark="2 $boot $(stat -L -c '%Y-%s' "$(command -v qemu-system-x86_64)" 2>/dev/null)"
kept=\${XDG_RUNTIME_DIR:-/tmp}/vendetta-accelerator-$(id -u)
if [ -f "$kept" ] && [ -O "$kept" ]; then
  { read -r was; read -r found; } < "$kept"
  [ "$was" = "$mark" ] && { echo "$found"; exit 0; }
fi
# In hundredths of a second.
now() { read -r up _ </proc/uptime; echo "\${up%.*}\${up#*.}"; }
boots() {
  began=$(now)
  timeout "$1" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -machine q35 -accel "$2" -cpu "$3" -m 64 -boot reboot-timeout=1 </dev/null >/dev/null 2>&1 || return 1
  took=$(($(now) - began))
}
# Both on the machine as busy as it is; a QEMU without emulation has nothing to be compared with.
runs() { boots "$1" kvm "$2" && { [ -z "$emulated" ] || [ "$took" -le $((2 * emulated + 20)) ]; }; }
if [ ! -e /dev/kvm ]; then found="tcg there is no /dev/kvm"
elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then found="tcg $(id -un) may not use /dev/kvm: add that user to the group that may (kvm, mostly)"
else
  emulated=
  boots 20 tcg max && emulated=$took
  if runs "$1" host; then found="kvm host"
  elif runs "$1" host,-arch-capabilities; then found="kvm host,-arch-capabilities"
  else found="tcg /dev/kvm is there, and the firmware takes longer on it than emulated, or does not come to its end within $1 s"
  fi
fi
umask 077
# Others may write there, too: never into what somebody has laid ready.
( set -C; printf '%s\\n%s\\n' "$mark" "$found" > "$kept.$$" ) 2>/dev/null && mv -f "$kept.$$" "$kept"
echo "$found"
`;
