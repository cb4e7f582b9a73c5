import type { AnyObject } from "../../api/registry.ts";
import { resourceArgs, resourceName } from "../kind-words.ts";
import { outputFormat } from "../output.ts";
import type { Session } from "../session.ts";
import { CliError } from "../world.ts";
import { roomOf } from "./get.ts";

export interface LabelOptions {
  readonly overwrite?: boolean | undefined;
  readonly dryRun?: string | boolean | undefined;
  readonly output?: string | undefined;
}

interface Words {
  readonly field: "labels" | "annotations";
  readonly one: string;
  readonly done: string;
  readonly undone: string;
}

const labels: Words = { field: "labels", one: "label", done: "labeled", undone: "unlabeled" };
const annotations: Words = { field: "annotations", one: "annotation", done: "annotated", undone: "annotated" };

/** Sets and takes away labels of objects, as `kubectl label`. */
export const label = (session: Session, args: readonly string[], options: LabelOptions) => change(session, args, options, labels);

/** Sets and takes away annotations of objects, as `kubectl annotate`. */
export const annotate = (session: Session, args: readonly string[], options: LabelOptions) => change(session, args, options, annotations);

async function change(session: Session, args: readonly string[], { overwrite = false, dryRun: asked, output }: LabelOptions, words: Words): Promise<void> {
  // No name of an object has '=' in it or ends with '-'.
  const isChange = (word: string) => word.includes("=") || word.endsWith("-");
  const wanted = changesOf(args.filter(isChange), words);
  const { named } = resourceArgs(args.filter((word) => !isChange(word)));
  if (named.length === 0) throw new CliError(`say which object: KIND NAME, or KIND/NAME`);
  const format = await outputFormat(output, {});
  const dryRun = asked !== undefined && asked !== false && asked !== "none";
  const store = await session.connect();
  for (const { kind, name } of named) {
    const ref = { namespace: roomOf(session, kind), name };
    const before: AnyObject = await store.get(kind, ref);
    const found = before.metadata[words.field] ?? {};
    const taken = Object.entries(wanted).find(([key, value]) => value !== null && found[key] !== undefined && found[key] !== value);
    if (taken !== undefined && !overwrite) throw new CliError(`${resourceName(kind)}/${name} has the ${words.one} ${taken[0]} already (${found[taken[0]]}); to change it, add --overwrite`);
    const differs = Object.entries(wanted).filter(([key, value]) => (value ?? undefined) !== found[key]);
    const after = differs.length === 0 ? before : await store.patch(kind, ref, { type: "merge", patch: { metadata: { [words.field]: wanted } } }, { dryRun });
    if (format.type === "object") session.world.stdout.write(format.render(after));
    else {
      const outcome = differs.length === 0 ? `not ${words.done}` : differs.every(([, value]) => value === null) ? words.undone : words.done;
      session.print(`${resourceName(kind)}/${name} ${outcome}${dryRun ? " (server dry run)" : ""}`);
    }
  }
}

/** `KEY=VALUE` sets, `KEY-` takes away. @throws CliError */
function changesOf(given: readonly string[], { one }: Words): Readonly<Record<string, string | null>> {
  if (given.length === 0) throw new CliError(`say what to change: KEY=VALUE sets the ${one}, KEY- takes it away`);
  const wanted = new Map<string, string | null>();
  for (const word of given) {
    const at = word.indexOf("=");
    const [key, value] = at < 0 ? [word.slice(0, -1), null] : [word.slice(0, at), word.slice(at + 1)];
    if (key === "") throw new CliError(`"${word}" names no ${one}: KEY=VALUE sets it, KEY- takes it away`);
    if (wanted.has(key)) throw new CliError(`the ${one} ${key} is given twice`);
    wanted.set(key, value);
  }
  return Object.fromEntries(wanted);
}
