import type { Random } from "../../src/base/random.ts";
import type { Clock } from "../../src/base/clock.ts";
import { revisionOf } from "../../src/sources/read-directory.ts";
import type { Reading } from "../../src/sources/source-reader.ts";
import { serviceText, workspaceText } from "../harness/source-world.ts";

/** Objects that only the Source's manifests are about. */
export const sourceObjects = { Workspace: ["x", "y"], Service: ["p", "q", "r"] } as const;
type SourceKind = keyof typeof sourceObjects;

/** `Service p` → the value that its manifest gives ROUND. */
export type Said = ReadonlyMap<string, string>;

/** What lies where the simulated Source's manifests are: one document a file, which appears, changes, vanishes and breaks. */
export class SimPlace {
  readonly #clock: Clock;
  readonly #random: Random;
  #files = new Map<string, { readonly text: string; readonly value: string }>();
  #isThere = true;
  #broken = false;
  #round = 0;
  #hint: () => void = () => {};
  /** What was said when; the last entry is now. */
  readonly #history: { readonly fromMs: number; readonly said: Said | undefined }[] = [];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#note();
  }

  /** Something happens to it; answers what. */
  change(): string {
    const what = this.#happen();
    this.#note();
    // Hints may be lost.
    if (this.#random.next() < 0.7) this.#hint();
    return what;
  }

  /** The listener of the life that there is now. */
  onHint(listener: () => void): void {
    this.#hint = listener;
  }

  /** What is wrong with it is mended. */
  mend(): void {
    this.#isThere = true;
    this.#broken = false;
    this.#note();
  }

  /** undefined: nothing whole. */
  get said(): Said | undefined {
    if (!this.#isThere || this.#broken) return undefined;
    return new Map([...this.#files].map(([name, { value }]) => [name, value]));
  }

  /** Whether a set without the object could be read within so long. */
  lacked(object: string, withinMs: number): boolean {
    const since = this.#clock.monotonic() - withinMs;
    return this.#history.some(({ said }, i) => (this.#history[i + 1]?.fromMs ?? Infinity) >= since && said !== undefined && !said.has(object));
  }

  read(): Reading {
    if (!this.#isThere) return { kind: "unreadable", reason: "NotFound", message: "there is no such directory" };
    const files = [...this.#files].map(([name, { text }]): readonly [string, string] => [name, text]);
    const texts = [...files, ...(this.#broken ? [["broken", "kind: [\n"] as const] : [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => ({ name: `${name}.yaml`, directory: "/place", text }));
    return { kind: "read", revision: revisionOf(texts), texts, problems: [] };
  }

  #happen(): string {
    const chance = this.#random.next();
    if (chance < 0.1) return (this.#isThere = !this.#isThere) ? "is back" : "is gone";
    if (chance < 0.25) return (this.#broken = !this.#broken) ? "breaks" : "is whole";
    if (chance < 0.32) {
      this.#files.clear();
      return "is emptied";
    }
    const kind: SourceKind = this.#random.next() < 0.4 ? "Workspace" : "Service";
    const names = sourceObjects[kind];
    const name = names[Math.floor(this.#random.next() * names.length)]!;
    const object = `${kind} ${name}`;
    if (chance < 0.5) return this.#files.delete(object) ? `loses ${object}` : "stays";
    const value = String(++this.#round);
    const spec = { env: { ROUND: value } };
    const workspace = name.charCodeAt(0) % 2 === 0 ? "x" : "y";
    const text = kind === "Workspace" ? workspaceText(name, { ...spec, provider: "docker", image: "sim" }) : serviceText(name, { ...spec, workspace, port: 1000 + name.charCodeAt(0) });
    this.#files.set(object, { text, value });
    return `says ${object} ${value}`;
  }

  #note(): void {
    this.#history.push({ fromMs: this.#clock.monotonic(), said: this.said });
  }
}
