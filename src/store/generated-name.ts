import type { Random } from "../base/random.ts";
import type { KindName } from "../api/registry.ts";
import { StatusError } from "../api/status-error.ts";

/** No vowels, so no words; no digits that look like letters. As in Kubernetes. */
const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";
const nameTriesMax = 8;
/** Of a prefix, so that the name is a label. As in Kubernetes. */
const prefixCharactersMax = 58;

/** A free name made from generateName. @throws StatusError AlreadyExists when each that was tried is taken */
export function generatedName(kind: KindName, prefix: string, random: Random, isTaken: (name: string) => boolean): string {
  for (let i = 0; i < nameTriesMax; i++) {
    const name = prefix.slice(0, prefixCharactersMax) + Array.from({ length: 5 }, () => nameAlphabet[Math.floor(random.next() * nameAlphabet.length)]!).join("");
    if (!isTaken(name)) return name;
  }
  throw new StatusError("AlreadyExists", `Cannot make a name from generateName "${prefix}": ${nameTriesMax} were taken; try again`, { kind });
}
