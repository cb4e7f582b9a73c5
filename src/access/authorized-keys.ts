// Text of an authorized_keys file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"), one character a byte: what is not ours stays as it is.

/** A public key to be let in, with a comment that says whose it is. */
export interface AuthorizedKey {
  readonly type: string;
  readonly base64: string;
  /** Of this cluster alone: a line with it and another key is an old one of ours. */
  readonly comment: string;
}

const lineOf = ({ type, base64, comment }: AuthorizedKey) => `${type} ${base64} ${comment}`;

/** Lines with their ends. */
const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
const fieldsOf = (line: string) => line.trim().split(/[ \t]+/);
const isComment = (line: string) => line.trimStart().startsWith("#");

/** The key itself, whatever options or comment somebody gave it since. */
function holds(line: string, { type, base64 }: AuthorizedKey): boolean {
  const fields = fieldsOf(line);
  return !isComment(line) && fields.some((field, i) => field === type && fields[i + 1] === base64);
}

/** A line of ours as we wrote it, with this key or with one before it. */
function isOurs(line: string, { comment }: AuthorizedKey): boolean {
  const fields = fieldsOf(line);
  return !isComment(line) && fields.length === 3 && fields[2] === comment;
}

/** What was not there before the cluster's key was. */
export interface MadeForKey {
  readonly file: boolean;
  /** ~/.ssh itself. */
  readonly directory: boolean;
}

const nothingMade: MadeForKey = { file: false, directory: false };

/** A comment line in a file that was made for the key: nobody else could tell later, as any machine may be let go of by another server. */
function markOf({ comment }: AuthorizedKey, { directory }: MadeForKey): string {
  return `# made ${directory ? "with its directory " : ""}for ${comment}`;
}

/** What was made for the key, as the file itself tells. */
export function madeForKey(text: string, key: AuthorizedKey): MadeForKey {
  const lines = linesOf(text).map((line) => line.trimEnd());
  const directory = lines.includes(markOf(key, { file: true, directory: true }));
  return { file: directory || lines.includes(markOf(key, { file: true, directory: false })), directory };
}

function isMark(line: string, key: AuthorizedKey): boolean {
  return madeForKey(line, key).file;
}

export function hasKey(text: string, key: AuthorizedKey): boolean {
  return linesOf(text).some((line) => holds(line, key));
}

/** The same text when the key is there already. Else with one more line, a mark before it where the file is made for it, and without the cluster's lines of older keys. */
export function withKey(text: string, key: AuthorizedKey, made: MadeForKey = nothingMade): string {
  if (hasKey(text, key)) return text;
  const kept = linesOf(text).filter((line) => !isOurs(line, key)).join("");
  const mark = made.file ? `${markOf(key, made)}\n` : "";
  return `${kept}${kept === "" || kept.endsWith("\n") ? "" : "\n"}${mark}${lineOf(key)}\n`;
}

/** Without the key and without all lines of the cluster, its mark too; the same text when there is none. */
export function withoutKey(text: string, key: AuthorizedKey): string {
  return linesOf(text).filter((line) => !holds(line, key) && !isOurs(line, key) && !isMark(line, key)).join("");
}
