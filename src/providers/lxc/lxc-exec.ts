import type { Readable } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import { newlineVariable, shQuote } from "../../base/sh-quote.ts";
import type { ExecStream, Transport } from "../../transports/transport.ts";
import { ProviderError, type InstanceExecOptions } from "../provider.ts";
import type { LxcRecord } from "./lxc-record.ts";

/** What a command says before it runs, and what is not yet known to be that. */
const markBytesMax = 64 * 1024;

/** Holds assignments for the shell inside, so that no command line ever shows them, and nothing of the node's programs reads them. */
const envVariable = "VENDETTA_EXEC_ENV";

/**
 * On the node: $1 mark, $2 lxcPath, $3 id, $4 user or "", $5 directory or "", $6 whether to make it, $7 the script to run inside; then the command.
 * A name is looked up inside, where it means something.
 */
const attach = `
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
mark=$1 lxc=$2 id=$3 user=$4 home=$2/$3
no() { printf '%s!%s;' "$mark" "$1" >&2; exit 126; }
[ -e "$home/instance.json" ] || no absent
{ read -r pid started boot _ <"$home/init" && read -r now </proc/sys/kernel/random/boot_id && IFS= read -r stat <"/proc/$pid/stat"; } 2>/dev/null || no stopped
dir=$5 make=$6 inner=$7
shift 7
words=\${stat##*) }
n=1
for word in $words; do
  [ $n = 20 ] && { [ "$word" = "$started" ] && [ "$boot" = "$now" ] || no stopped; break; }
  n=$((n + 1))
done
ids= uid=0
case $user in
  '' | root | 0 | 0:0) ;;
  *[!0-9:]* | *:*:* | *[!:])
    case $user in
      [0-9]*:[0-9]*) uid=\${user%%:*} ids="--uid \${user%%:*} --gid \${user#*:}";;
      *)
        line=$(lxc-attach -P "$lxc" -n "$id" --clear-env -- sh -c 'while IFS=: read -r name _ uid gid _; do case $1 in "$name" | "$uid") echo "$uid $gid"; exit;; esac; done </etc/passwd; case $1 in *[!0-9]*) ;; *) echo "$1 0";; esac' sh "$user" </dev/null 2>/dev/null)
        [ -n "$line" ] || no user
        uid=\${line% *} ids="--uid \${line% *} --gid \${line#* }";;
    esac;;
  *) no user;;
esac
exec lxc-attach -P "$lxc" -n "$id" --clear-env --keep-var ${envVariable} $ids -- /bin/sh -c "$inner" "$mark" "$dir" "$make" "$uid" "$@"
`;

/** Inside: its name is the mark; $1 directory or "", $2 whether to make it, $3 user id; then the command. With a terminal all is said on it. */
const inside = (tty: boolean) => `
say() { printf '%s%s;' "$0" "$1"${tty ? "" : " >&2"}; }
eval "$${envVariable}"
unset ${envVariable} ${newlineVariable}
if [ -z "\${HOME-}" ]; then
  HOME=/
  while IFS=: read -r _ _ v_uid _ _ v_home _; do [ "$v_uid" = "$3" ] && { HOME=$v_home; break; }; done 2>/dev/null </etc/passwd
  export HOME
  unset v_uid v_home
fi
[ -z "$2" ] || [ -d "$1" ] || mkdir -p "$1" 2>/dev/null
if [ -n "$1" ]; then cd "$1" 2>/dev/null || { say '!directory'; exit 126; }; else cd /; fi
shift 3
case $1 in
  */*) [ -e "$1" ] || { say '!program'; exit 127; }; [ -f "$1" ] && [ -x "$1" ] || { say '!executable'; exit 126; };;
  *) command -v "$1" >/dev/null 2>&1 || { say '!program'; exit 127; };;
esac
say +
exec "$@"
`;

export interface LxcExecParts {
  readonly transport: Transport;
  readonly lxcPath: string;
  /** A word that nothing else says. */
  readonly mark: string;
}

/** Runs a command in a container, and comes back when it runs. @throws NotRunning, NotFound, CommandNotFound, CommandNotExecutable, DirectoryNotFound, InvalidSpec (no such user) */
export async function execInContainer({ transport, lxcPath, mark }: LxcExecParts, id: string, record: Pick<LxcRecord, "env" | "workingDir" | "user">, argv: readonly string[], options: InstanceExecOptions): Promise<ExecStream> {
  const { env = {}, workingDir, user = record.user ?? "", tty, signal } = options;
  const variables = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...(tty === undefined ? {} : { TERM: "xterm-256color" }), ...record.env, ...env };
  const assignments = [`${newlineVariable}='\n'`, ...Object.entries(variables).map(([name, value]) => `export ${name}=${shQuote(value)}`)].join("\n");
  // As Docker does: the Workspace's own working directory is made where its image has none.
  const where = [workingDir ?? record.workingDir ?? "", workingDir === undefined && record.workingDir !== undefined ? "make" : ""];
  const command = ["sh", "-c", attach, "sh", mark, lxcPath, id, user, ...where, inside(tty !== undefined), ...argv];
  let stream: ExecStream;
  try {
    stream = await transport.exec(command, { env: { [envVariable]: assignments }, tty, signal });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
  }
  const began = await Promise.race([readMark(tty === undefined ? stream.stderr : stream.stdout, mark), stream.exit.then(() => "", (error: unknown) => Promise.reject(error instanceof Error ? error : new Error(String(error))))]);
  if (began === "+") return stream;
  stream.stdin.end();
  for (const each of [stream.stdout, stream.stderr]) each.resume();
  throw failureOf(began, id, argv[0] ?? "", workingDir ?? record.workingDir ?? "", user);
}

function failureOf(said: string, id: string, program: string, dir: string, user: string): ProviderError {
  switch (said) {
    case "!absent":
      return new ProviderError("NotFound", `there is no instance ${id}`, true);
    case "!stopped":
      return new ProviderError("NotRunning", `${id} does not run`, true);
    case "!program":
      return new ProviderError("CommandNotFound", `there is no program ${program} in ${id}`, true);
    case "!executable":
      return new ProviderError("CommandNotExecutable", `${program} in ${id} is no program that can be run`, true);
    case "!directory":
      return new ProviderError("DirectoryNotFound", `there is no directory ${dir} in ${id}`, true);
    case "!user":
      return new ProviderError("InvalidSpec", `there is no user ${user} in ${id}`, true);
    default:
      return new ProviderError("NotRunning", `nothing can be run in ${id}: ${said.trim().slice(-300) || "it ended just now"}`, true);
  }
}

/** What follows the mark up to its semicolon; the rest of the stream is as if the mark had never been. All that was said, when there was none. */
function readMark(stream: Readable, mark: string): Promise<string> {
  return new Promise((resolve) => {
    let said = Buffer.alloc(0);
    const done = (word: string) => {
      stream.off("readable", onReadable);
      stream.off("end", onEnd);
      resolve(word);
    };
    const onEnd = () => done(said.toString("utf8"));
    const onReadable = () => {
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
        said = Buffer.concat([said, chunk]);
        const at = said.indexOf(mark);
        const end = at < 0 ? -1 : said.indexOf(";", at + mark.length);
        if (end < 0 && said.length <= markBytesMax) continue;
        if (end < 0) return done(said.toString("utf8"));
        const rest = said.subarray(end + 1);
        const word = said.toString("utf8", at + mark.length, end);
        done(word);
        if (rest.length > 0) stream.unshift(rest);
        return;
      }
    };
    stream.on("readable", onReadable);
    stream.once("end", onEnd);
  });
}
