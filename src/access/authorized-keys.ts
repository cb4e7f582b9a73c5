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

export function hasKey(text: string, key: AuthorizedKey): boolean {
  return linesOf(text).some((line) => holds(line, key));
}

/** The same text when the key is there already. Else with one more line, and without the cluster's lines of older keys. */
export function withKey(text: string, key: AuthorizedKey): string {
  if (hasKey(text, key)) return text;
  const kept = linesOf(text).filter((line) => !isOurs(line, key)).join("");
  return `${kept}${kept === "" || kept.endsWith("\n") ? "" : "\n"}${lineOf(key)}\n`;
}

/** Without the key and without all lines of the cluster; the same text when there is none. */
export function withoutKey(text: string, key: AuthorizedKey): string {
  return linesOf(text).filter((line) => !holds(line, key) && !isOurs(line, key)).join("");
}
