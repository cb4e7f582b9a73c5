// Where sshd carries no connections (AllowTcpForwarding, AllowStreamLocalForwarding), a program on the machine does, over the
// stdin and stdout of a session: python3, or socat. (OpenBSD's nc could, but never tells that the far side has ended.) It says on stderr what became of it: "+;", or "!" and the error's code and ";".

/** Reads what it must carry to from its arguments: "unix" PATH, or "tcp" HOST PORT. Keeps both half-closes. */
const python = `
import errno, os, socket, sys, threading
kind, where = sys.argv[1:3]
try:
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.connect(where)
    else:
        s = socket.create_connection((where, int(sys.argv[3])))
except Exception as e:
    code = "ENOTFOUND" if isinstance(e, socket.gaierror) else errno.errorcode.get(getattr(e, "errno", None), "EIO")
    sys.stderr.write("!%s;" % code)
    sys.exit(1)
sys.stderr.write("+;")
sys.stderr.flush()
def up():
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=up)
thread.start()
while True:
    data = s.recv(65536)
    if not data:
        break
    while data:
        data = data[os.write(1, data):]
# sshd tells the end of a command's output when nobody has stderr open, either.
os.close(1)
os.close(2)
thread.join()
`;

const script = [
  `no() { printf '!%s;' "$1" >&2; exit 1; }`,
  "python=$1; shift",
  `if [ "$1" = unix ]; then [ -e "$2" ] || no ENOENT; [ -S "$2" ] || no ENOTSOCK; { [ -r "$2" ] && [ -w "$2" ]; } || no EACCES; fi`,
  // Version managers put programs of that name in the way that may not work.
  `for p in python3 python; do "$p" -c "import socket, threading" 2>/dev/null && exec "$p" -c "$python" "$@"; done`,
  "command -v socat >/dev/null 2>&1 || no ENOSYS",
  // What socat would read as more than an address.
  `case $2 in *[!A-Za-z0-9/._:-]*) no ENOSYS;; esac`,
  `if [ "$1" = unix ]; then case $2 in *:*) no ENOSYS;; esac; to=UNIX-CONNECT:$2; else case $2 in *:*) to=TCP6:[$2]:$3;; *) to=TCP:$2:$3;; esac; fi`,
  // It does not say when it has connected without saying much else, so it is asked before.
  `socat -u /dev/null "$to" || exit 1`,
  "printf '+;' >&2",
  `exec socat -t 2000000 "FD:0!!FD:1,shut-close" "$to" 2>/dev/null`,
].join("\n");

export type RelayTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** The relay's command. */
export function relayArgv(target: RelayTarget): string[] {
  return ["sh", "-c", script, "sh", python, ...("socketPath" in target ? ["unix", target.socketPath] : ["tcp", target.host, String(target.port)])];
}

/** What it has said so far: undefined when not enough. `code` is absent when it is connected. */
export function parseRelay(said: string): { readonly code?: string } | undefined {
  const failed = /!([A-Z]+);/.exec(said);
  if (failed !== null) return { code: failed[1]! };
  return said.includes("+;") ? {} : undefined;
}
