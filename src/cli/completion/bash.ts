import { allCommands, kindChoices, optionsAt, type Candidates, type GrammarCommand, type GrammarOption } from "./grammar.ts";

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const pathOf = (command: GrammarCommand) => command.path.join(" ");

/** The completion script for bash 4.4 or later. Needs no bash-completion package. */
export function bashCompletion(program: GrammarCommand): string {
  const commands = allCommands(program);
  const cases = (lines: readonly string[]) => lines.map((line) => `    ${line}\n`).join("");
  const subcommands = commands.flatMap((command) => command.commands.map((each) => `${each.names.map((name) => quoted(`${pathOf(command)}>${name}`)).join("|")}) path=${quoted(pathOf(each))} ;;`));
  const followers = commands.map((command) => {
    const flags = optionsAt(command, program).flatMap((option) => option.flags);
    return `${quoted(pathOf(command))}) commands=${quoted(command.commands.flatMap((each) => each.names).join(" "))} flags=${quoted(flags.join(" "))} ;;`;
  });
  const values = commands.flatMap((command) => command.options.flatMap((option) => valueCase((flag) => (command === program ? `*${quoted(`>${flag}`)}` : quoted(`${pathOf(command)}>${flag}`)), option)));
  const positions = commands.flatMap((command) => command.arguments.map(({ candidates, variadic }, i) => `${quoted(`${pathOf(command)}>`)}${variadic ? "*" : i}) offer=${quoted(offerOf(candidates))} ;;`));
  // The program's own options come last: a command's of the same name has precedence.
  return `# bash completion for vendetta. Load it in ~/.bashrc with: source <(vendetta completion bash)

# The path of the command that a word is, below the one at $path.
_vendetta_descend() {
  case "$path>$1" in
${cases(subcommands)}    *) return 1 ;;
  esac
}

# What can follow the command at $path.
_vendetta_followers() {
  case "$path" in
${cases(followers)}  esac
}

# Whether an option of the command at $path has a value, and which.
_vendetta_value() {
  case "$path>$1" in
${cases([...values.filter((line) => !line.startsWith("*")), ...values.filter((line) => line.startsWith("*"))])}    *) return 1 ;;
  esac
}

# What stands at a position, counted from 0, after the command at $path.
_vendetta_position() {
  case "$path>$1" in
${cases(positions)}  esac
}

# Completion asks, and never starts a server.
_vendetta_get() {
  VENDETTA_NO_AUTOSTART=1 vendetta get "$1" -o name \${namespace[@]+"\${namespace[@]}"} </dev/null 2>/dev/null
}

# Keeps those lines of its input that go on from what is typed.
_vendetta_reply() {
  local line
  while IFS= read -r line; do
    [[ "$line" == "$current"* ]] && COMPREPLY+=("$line")
  done
  # Such a word is not at its end.
  [[ "\${COMPREPLY[0]-}" == *[=/] ]] && compopt -o nospace 2>/dev/null
}

# Names of a kind, each with the same beginning.
_vendetta_names() {
  local name
  while IFS= read -r name; do printf '%s%s\\n' "$2" "\${name##*/}"; done < <(_vendetta_get "$1")
}

_vendetta_offer() {
  case "\${1-}" in
    words) shift; _vendetta_reply < <(printf '%s\\n' "$@") ;;
    kinds)
      if [[ "$current" == */* ]]; then _vendetta_reply < <(_vendetta_names "\${current%%/*}" "\${current%%/*}/")
      else _vendetta_offer words ${kindChoices.join(" ")}; fi ;;
    names)
      if [[ "$first" == */* ]]; then _vendetta_offer kinds
      elif [[ -n "$first" ]]; then _vendetta_reply < <(_vendetta_names "$first" ""); fi ;;
    namesOf) _vendetta_reply < <(_vendetta_names "$2" "") ;;
    objects) _vendetta_reply < <(_vendetta_get all) ;;
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
  esac
}

_vendetta() {
  local path="" first="" flag="" need="" offer="" commands="" flags="" joined="" ended="" count=0 i word
  local current="\${COMP_WORDS[COMP_CWORD]}" IFS=$' \\t\\n'
  local -a namespace=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ "$word" == "=" ]]; then
      # bash takes --option=value apart; a "=" elsewhere joins what is one word to us.
      if [[ -n "$flag" ]]; then need=required; else joined=1; fi
    elif [[ -n "$joined" ]]; then joined=""
    elif [[ -n "$flag" && "$need" == required ]]; then
      [[ "$flag" == -n || "$flag" == --namespace ]] && namespace=(-n "$word")
      flag=""
    else
      flag=""
      if [[ -z "$ended" && "$word" == -- ]]; then ended=1
      elif [[ -z "$ended" && "$word" == -* ]]; then
        _vendetta_value "$word" && flag="$word"
      elif [[ $count == 0 ]] && _vendetta_descend "$word"; then :
      else
        [[ $count == 0 ]] && first="$word"
        count=$((count + 1))
      fi
    fi
  done
  if [[ "$current" == "=" ]]; then
    [[ -n "$flag" ]] || return 0
    need=required current=""
  fi
  [[ -z "$joined" ]] || return 0
  if [[ -n "$flag" && "$need" == required ]]; then
    _vendetta_value "$flag"
  else
    _vendetta_followers
    if [[ -z "$ended" && "$current" == -* ]]; then offer="words $flags"
    elif [[ -z "$commands" ]]; then offer=""; _vendetta_position "$count"
    elif [[ $count == 0 ]]; then offer="words $commands"
    else offer=""; fi
  fi
  # The words are the grammar's own: none has a space or a character that bash would expand.
  _vendetta_offer $offer
}

complete -F _vendetta vendetta
`;
}

function valueCase(patternOf: (flag: string) => string, { flags, value, candidates }: GrammarOption): readonly string[] {
  if (value === "none") return [];
  return [`${flags.map(patternOf).join("|")}) need=${value} offer=${quoted(offerOf(candidates))} ;;`];
}

function offerOf(candidates: Candidates): string {
  switch (candidates.type) {
    case "words":
      return `words ${candidates.words.join(" ")}`;
    case "namesOf":
      return `namesOf ${candidates.kind}`;
    case "free":
      return "";
    default:
      return candidates.type;
  }
}
