import { closestWord } from "../api/closest-word.ts";
import { kindPaths } from "../api/paths.ts";
import type { KindName } from "../api/registry.ts";
import { CliError } from "./world.ts";

/** The registry's short names, without loading the schemas; a test holds them to it. */
export const shortNames: { readonly [K in KindName]: readonly string[] } = { Namespace: ["ns"], Event: ["ev"], Node: ["no"], Workspace: ["ws"], Service: ["svc"], Source: ["src"], Lease: [], Pod: ["po"] };

const names = Object.keys(kindPaths) as readonly KindName[];

function wordsOf(kind: KindName): readonly string[] {
  const { plural, group } = kindPaths[kind];
  return [plural, kind.toLowerCase(), ...shortNames[kind], `${plural}.${group}`, `${kind.toLowerCase()}.${group}`];
}

/** The kind a word stands for. @throws CliError with what could have been meant */
export function kindOfWord(word: string): KindName {
  const lower = word.toLowerCase();
  const found = names.find((kind) => wordsOf(kind).includes(lower));
  if (found !== undefined) return found;
  const meant = closestWord(lower, names.flatMap((kind) => [kindPaths[kind].plural, kind.toLowerCase()]));
  throw new CliError(`the server doesn't have a resource type "${word}"${meant === undefined ? "" : `; did you mean "${meant}"?`}; 'vendetta api-resources' lists them`);
}

/** Kinds of `services,workspaces`; "all" is every kind one works with. */
export function kindsOfWord(text: string): readonly KindName[] {
  return [...new Set(text.split(",").filter((word) => word !== "").flatMap((word): KindName[] => (word.toLowerCase() === "all" ? ["Workspace", "Service"] : [kindOfWord(word)])))];
}

/** `service.vendetta.dev`, `namespace`. */
export function resourceName(kind: KindName): string {
  const { group } = kindPaths[kind];
  return group === "" ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
}

export interface Named {
  readonly kind: KindName;
  readonly name: string;
}

export interface ResourceArgs {
  readonly kinds: readonly KindName[];
  /** In the order given; empty: all of the kinds. */
  readonly named: readonly Named[];
}

/** Reads `KIND[,KIND] [NAME…]` and `KIND/NAME…`. @throws CliError */
export function resourceArgs(args: readonly string[]): ResourceArgs {
  const [first, ...rest] = args;
  if (first === undefined) throw new CliError("say which kind of resource, such as 'services'; 'vendetta api-resources' lists them");
  if (args.some((each) => each.includes("/"))) {
    const named = args.map((each) => {
      const slash = each.indexOf("/");
      if (slash <= 0 || slash === each.length - 1) throw new CliError(`"${each}" is not KIND/NAME: with a slash in one argument, all must have one`);
      return { kind: kindOfWord(each.slice(0, slash)), name: each.slice(slash + 1) };
    });
    return { kinds: [...new Set(named.map((each) => each.kind))], named };
  }
  const kinds = kindsOfWord(first);
  return { kinds, named: kinds.flatMap((kind) => rest.map((name) => ({ kind, name }))) };
}

/** The Service that `worker` or `service/worker` names. `what` ends the sentence "only a Service …". @throws CliError */
export function namedService(text: string, what: string): string {
  const slash = text.indexOf("/");
  if (slash < 0) return text;
  if (kindOfWord(text.slice(0, slash)) !== "Service") throw new CliError(`only a Service ${what}; "${text}" is none`);
  return text.slice(slash + 1);
}
