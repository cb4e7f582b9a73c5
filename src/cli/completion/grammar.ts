import type { Argument, Command, Option } from "commander";
import { kindPaths } from "../../api/paths.ts";
import { assert } from "../../base/assert.ts";

/** What can stand in a place of the command line. */
export type Candidates =
  /** Nothing that could be known beforehand. */
  | { readonly type: "free" }
  /** One that ends in "=" or "/" is only the beginning of a word. */
  | { readonly type: "words"; readonly words: readonly string[] }
  /** A kind; or, with a slash, a kind and a name. */
  | { readonly type: "kinds" }
  /** A name of the kind that stands before it. */
  | { readonly type: "names" }
  | { readonly type: "namesOf"; readonly kind: string }
  /** `KIND/NAME` of what one works with. */
  | { readonly type: "objects" }
  | { readonly type: "files" }
  | { readonly type: "directories" };

export interface GrammarOption {
  /** `-o`, `--output`: whichever there are. */
  readonly flags: readonly string[];
  readonly description: string;
  /** An optional value must be joined by "=". */
  readonly value: "none" | "optional" | "required";
  readonly candidates: Candidates;
  readonly repeatable: boolean;
}

export interface GrammarArgument {
  readonly candidates: Candidates;
  readonly variadic: boolean;
}

export interface GrammarCommand {
  /** From the program down, without the program: `["workspace", "up"]`. */
  readonly path: readonly string[];
  /** Its name, then its aliases. */
  readonly names: readonly string[];
  readonly description: string;
  /** Its own; those of the program are understood everywhere. */
  readonly options: readonly GrammarOption[];
  readonly arguments: readonly GrammarArgument[];
  readonly commands: readonly GrammarCommand[];
}

const words = (...list: readonly string[]): Candidates => ({ type: "words", words: list });
const namesOf = (kind: string): Candidates => ({ type: "namesOf", kind });
const free: Candidates = { type: "free" };

/** What each placeholder of the grammar (`<kind>`, `[name...]`) stands for. */
const placeholders: Readonly<Record<string, Candidates>> = {
  kind: { type: "kinds" },
  name: { type: "names" },
  workspace: namesOf("workspaces"),
  "workspace|service/name": namesOf("workspaces"),
  service: namesOf("services"),
  node: namesOf("nodes"),
  source: namesOf("sources"),
  machine: free,
  fingerprint: free,
  text: free,
  "new-name": free,
  snapshot: free,
  namespace: namesOf("namespaces"),
  "kind/name": { type: "objects" },
  path: { type: "files" },
  file: { type: "files" },
  directory: { type: "directories" },
  field: words(...Object.keys(kindPaths).map((kind) => kind.toLowerCase())),
  what: words("condition=Ready", "delete", "jsonpath="),
  type: words("merge", "json"),
  subresource: words("status"),
  value: words("true", "false"),
  duration: free,
  labels: free,
  fields: free,
  jsonpath: free,
  lines: free,
  patch: free,
  port: words("auto", "off"),
  ports: free,
  provider: words("docker", "lxc", "qemu", "host"),
  image: free,
  mount: free,
  variable: free,
  quantity: free,
  command: free,
};

const formats = ["json", "yaml", "name", "wide", "jsonpath=", "custom-columns="];

/** The kinds that are offered, in the plural. */
export const kindChoices: readonly string[] = Object.values(kindPaths).map((kind) => kind.plural);

/** The grammar as data, for those who write it down in another language. */
export function grammarOf(command: Command, path: readonly string[] = []): GrammarCommand {
  const help = command.createHelp();
  return {
    path,
    names: [command.name(), ...command.aliases()],
    description: command.description(),
    options: help.visibleOptions(command).map(optionOf),
    arguments: command.registeredArguments.map((argument) => ({ candidates: candidatesOf(argument.name(), argument), variadic: argument.variadic })),
    commands: help.visibleCommands(command).map((each) => grammarOf(each, [...path, each.name()])),
  };
}

/** The command and all below it, each before those below it. */
export function allCommands(command: GrammarCommand): readonly GrammarCommand[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** The options understood after a command: its own, and those of the program, which are understood everywhere. */
export function optionsAt(command: GrammarCommand, program: GrammarCommand): readonly GrammarOption[] {
  if (command === program) return command.options;
  const own = new Set(command.options.flatMap((option) => option.flags));
  // Nobody asks a subcommand for the version.
  return [...command.options, ...program.options.filter(({ flags }) => !flags.includes("--version") && !flags.some((flag) => own.has(flag)))];
}

function optionOf(option: Option): GrammarOption {
  const [, placeholder] = /[<[]([^\]>.]+)/.exec(option.flags) ?? [];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: option.description,
    value: option.required ? "required" : option.optional ? "optional" : "none",
    candidates: placeholder === undefined ? free : candidatesOf(placeholder, option),
    // An option with a parser of its own collects.
    repeatable: option.parseArg !== undefined && option.argChoices === undefined,
  };
}

function candidatesOf(placeholder: string, { argChoices, description }: Pick<Argument | Option, "argChoices" | "description">): Candidates {
  if (argChoices !== undefined) return words(...argChoices);
  // Which ones a command knows, its help says.
  if (placeholder === "format") return words(...formats.filter((format) => new RegExp(`\\b${format}`).test(description)));
  const found = Object.hasOwn(placeholders, placeholder) ? placeholders[placeholder] : undefined;
  assert(found !== undefined, `the placeholder <${placeholder}> of the grammar is not among those of completion`);
  return found;
}
