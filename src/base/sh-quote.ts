/** Name of the shell variable that must hold one newline wherever text quoted by `shQuote` is evaluated. */
export const newlineVariable = "v_nl";

/**
 * One word of POSIX sh that stands for exactly this text, without a newline in it, so that a command always is one line.
 * A newline becomes a reference to `newlineVariable`.
 * @throws RangeError for text that no argument and no variable can hold: a NUL, or half of a surrogate pair.
 */
export function shQuote(text: string): string {
  if (text.includes("\0")) throw new RangeError("holds a NUL byte, which no argument or variable can");
  if (/\p{Surrogate}/u.test(text)) throw new RangeError("is not well-formed Unicode");
  return `'${text.replaceAll("'", `'\\''`).replaceAll("\n", `'"$${newlineVariable}"'`)}'`;
}
