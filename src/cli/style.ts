/** Colours for a terminal; plain text anywhere else. */
export interface Style {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export function createStyle(coloured: boolean): Style {
  const wrap = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: wrap(32), bad: wrap(31), warn: wrap(33), dim: wrap(2), bold: wrap(1) };
}

const goodWords = new Set(["True", "Running", "Active", "Completed", "Ready", "Normal"]);
const badWords = new Set(["False", "Failed", "CrashLoopBackOff", "Unhealthy"]);

/** The style a word of a READY or STATUS column has. */
export function stateStyle(style: Style, word: string): (text: string) => string {
  if (goodWords.has(word)) return (text) => style.good(text);
  if (badWords.has(word)) return (text) => style.bad(text);
  return (text) => style.warn(text);
}

/** Takes out what could move a terminal's cursor or change its colours: text from the outside must not. */
export function printable(text: string): string {
   
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
