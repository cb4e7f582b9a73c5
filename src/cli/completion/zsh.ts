import { allCommands, kindChoices, optionsAt, type Candidates, type GrammarCommand, type GrammarOption } from "./grammar.ts";

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const functionOf = ({ path }: GrammarCommand) => ["_vendetta_at", ...path].join("_").replaceAll("-", "_");

/** The completion script for zsh, to be sourced after compinit or saved as `_vendetta` in $fpath. */
export function zshCompletion(program: GrammarCommand): string {
  return `#compdef vendetta
# zsh completion for vendetta. Load it in ~/.zshrc, after compinit, with: source <(vendetta completion zsh)

# Completion asks, and never starts a server.
_vendetta_get() {
  VENDETTA_NO_AUTOSTART=1 vendetta get "$1" -o name $vendetta_namespace </dev/null 2>/dev/null
}

_vendetta_words() {
  local -a partial whole
  local expl
  partial=(\${(M)@:#*[=/]})
  whole=(\${@:#*[=/]})
  _wanted words expl value compadd -S '' -a partial
  _wanted words expl value compadd -a whole
}

_vendetta_names_of() {
  local -a names
  local expl
  names=(\${\${(f)"$(_vendetta_get "$1")"}##*/})
  _wanted names expl "name" compadd -a names
}

_vendetta_kinds() {
  local kind="\${PREFIX%%/*}"
  if compset -P 1 '*/'; then _vendetta_names_of "$kind"
  else _vendetta_words ${kindChoices.join(" ")}; fi
}

# $line is set by _arguments: the positions of the command that are filled.
_vendetta_names() {
  if [[ "$line[1]" == */* ]]; then _vendetta_kinds
  else _vendetta_names_of "$line[1]"; fi
}

_vendetta_objects() {
  local -a objects
  local expl
  objects=(\${(f)"$(_vendetta_get all)"})
  _wanted objects expl object compadd -a objects
}

${allCommands(program).map((command) => commandFunction(command, program)).join("\n")}
_vendetta() {
  local -a vendetta_namespace
  local -i i
  # Below a subcommand the words before it are out of sight.
  for ((i = 2; i < CURRENT; i++)); do
    case "$words[i]" in
      -n | --namespace) ((i + 1 < CURRENT)) && vendetta_namespace=(-n "$words[i + 1]") ;;
      --namespace=*) vendetta_namespace=(-n "\${words[i]#*=}") ;;
    esac
  done
  ${functionOf(program)}
}

# Called by name when it was loaded from $fpath; sourced, it says what it is for.
if [[ "$funcstack[1]" == _vendetta ]]; then _vendetta "$@"
else compdef _vendetta vendetta; fi
`;
}

function commandFunction(command: GrammarCommand, program: GrammarCommand): string {
  const specs = optionsAt(command, program).map(optionSpec);
  const heading = `${functionOf(command)}() {\n  local curcontext="$curcontext" state\n  local -a line\n  local -A opt_args\n`;
  if (command.commands.length === 0) {
    const positions = command.arguments.map(({ candidates, variadic }, i) => quoted(`${variadic ? "*" : i + 1}: :${actionOf(candidates)}`));
    return `${heading}  _arguments -C \\\n${[...specs, ...positions].map((spec) => `    ${spec}`).join(" \\\n")}\n}\n`;
  }
  const described = command.commands.flatMap((each) => each.names.map((name) => `    ${quoted(`${name}:${each.description}`)}\n`)).join("");
  const branches = command.commands.map((each) => `        ${each.names.join(" | ")}) ${functionOf(each)} ;;\n`).join("");
  return `${heading}  local -a commands=(
${described}  )
  _arguments -C \\
${specs.map((spec) => `    ${spec} \\\n`).join("")}    '1: :->command' \\
    '*:: :->rest' && return
  case "$state" in
    command) _describe -t commands command commands ;;
    rest)
      case "$line[1]" in
${branches}      esac ;;
  esac
}
`;
}

function optionSpec({ flags, description, value, candidates, repeatable }: GrammarOption): string {
  const explained = `[${description.replace(/[[\]\\:]/g, "\\$&")}]`;
  const action = value === "none" ? "" : `${value === "optional" ? "::" : ":"} :${actionOf(candidates)}`;
  // "+": the value joined or in the next word; "=" the same with an equals sign; "=-": only that way.
  const marked = flags.map((flag) => flag + (value === "none" ? "" : !flag.startsWith("--") ? "+" : value === "optional" ? "=-" : "="));
  const exclusive = repeatable ? "*" : `(${flags.join(" ")})`;
  return marked.length === 1 ? quoted(`${repeatable ? "*" : ""}${marked[0]}${explained}${action}`) : `${quoted(exclusive)}{${marked.join(",")}}${quoted(`${explained}${action}`)}`;
}

/** After a space zsh calls an action as it is written; without one it puts options for compadd before the words. */
function actionOf(candidates: Candidates): string {
  switch (candidates.type) {
    case "free":
      return " ";
    case "words":
      return ` _vendetta_words ${candidates.words.join(" ")}`;
    case "namesOf":
      return ` _vendetta_names_of ${candidates.kind}`;
    case "files":
      return "_files";
    case "directories":
      return "_files -/";
    default:
      return ` _vendetta_${candidates.type}`;
  }
}
