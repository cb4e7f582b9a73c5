import { allCommands, kindChoices, type Candidates, type GrammarCommand, type GrammarOption } from "./grammar.ts";

const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
const pathOf = (command: GrammarCommand) => command.path.join(" ");

/** The completion script for fish 3 or later. */
export function fishCompletion(program: GrammarCommand): string {
  const commands = allCommands(program);
  const cases = (lines: readonly string[]) => lines.map((line) => `        ${line}\n`).join("");
  const descents = commands.flatMap((command) => command.commands.map((each) => `case ${each.names.map((name) => quoted(`${pathOf(command)}>${name}`)).join(" ")}; echo ${quoted(pathOf(each))}`));
  const valued = commands.flatMap((command) => command.options.filter((option) => option.value === "required").flatMap((option) => option.flags.map((flag) => quoted(`${command === program ? "*" : pathOf(command)}>${flag}`))));
  return `# fish completion for vendetta. Load it in ~/.config/fish/config.fish with: vendetta completion fish | source

# The path of the command that a word is, below another.
function __vendetta_descend
    switch "$argv[1]>$argv[2]"
${cases(descents)}        case '*'; return 1
    end
end

# Whether the word after an option is its value.
function __vendetta_has_value
    switch "$argv[1]>$argv[2]"
        case ${valued.join(" ")}; return 0
    end
    return 1
end

# The words before the cursor: the namespace, the path of the command, then the filled positions after it, one a line.
function __vendetta_line
    set -l path ''
    set -l filled
    set -l namespace ''
    set -l flag ''
    set -l ended 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test -n "$flag"
            contains -- $flag -n --namespace; and set namespace $word
            set flag ''
            continue
        end
        if test $ended = 0
            switch $word
                case '--'
                    set ended 1
                    continue
                case '--namespace=*'
                    set namespace (string replace -- '--namespace=' '' $word)
                    continue
                case '-*'
                    __vendetta_has_value "$path" $word; and set flag $word
                    continue
            end
        end
        if test (count $filled) = 0
            if set -l below (__vendetta_descend "$path" $word)
                set path $below
                continue
            end
        end
        set -a filled $word
    end
    printf '%s\\n' "$namespace" "$path" $filled
end

# Whether the command is the one at a path; with a number, whether so many positions after it are filled; with "more", or more of them.
function __vendetta_at
    set -l line (__vendetta_line)
    test "$line[2]" = "$argv[1]"; or return 1
    set -l filled (math (count $line) - 2)
    switch (count $argv)
        case 1; return 0
        case 2; test $filled = $argv[2]
        case '*'; test $filled -ge $argv[2]
    end
end

# Completion asks, and never starts a server.
function __vendetta_get
    set -l line (__vendetta_line)
    set -l namespace
    test -n "$line[1]"; and set namespace -n $line[1]
    VENDETTA_NO_AUTOSTART=1 vendetta get $argv[1] -o name $namespace </dev/null 2>/dev/null
end

function __vendetta_names_of
    __vendetta_get $argv[1] | string replace -r '^.*/' ''
end

function __vendetta_kinds
    set -l current (commandline -ct)
    if string match -q '*/*' -- $current
        set -l kind (string replace -r '/.*' '' -- $current)
        printf "$kind/%s\\n" (__vendetta_names_of $kind)
    else
        printf '%s\\n' ${kindChoices.join(" ")}
    end
end

function __vendetta_names
    set -l line (__vendetta_line)
    if string match -q '*/*' -- $line[3]
        __vendetta_kinds
    else
        __vendetta_names_of $line[3]
    end
end

complete -c vendetta -e
complete -c vendetta -f
${commands.map((command) => commandLines(command, program)).join("")}`;
}

function commandLines(command: GrammarCommand, program: GrammarCommand): string {
  const at = quoted(pathOf(command));
  const condition = (more: string) => quoted(`__vendetta_at ${at}${more}`);
  // The program's own are understood everywhere.
  const when = command === program ? "" : ` -n ${condition("")}`;
  return [
    ...command.commands.flatMap((each) => each.names.map((name) => `complete -c vendetta -n ${condition(" 0")} -a ${name} -d ${quoted(each.description)}\n`)),
    ...command.arguments.flatMap(({ candidates, variadic }, i) => (candidates.type === "free" ? [] : [`complete -c vendetta -n ${condition(` ${i}${variadic ? " more" : ""}`)}${offerOf(candidates, "-F")}\n`])),
    ...command.options.map((option) => `complete -c vendetta${when}${optionParts(option)} -d ${quoted(option.description)}\n`),
  ].join("");
}

function optionParts({ flags, value, candidates }: GrammarOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`)).join("");
  // fish offers an option's words after "=" too when it need not have one.
  return names + (value === "none" ? "" : `${value === "required" ? " -r" : ""}${offerOf(candidates, value === "required" ? "-F" : "")}`);
}

function offerOf(candidates: Candidates, files: string): string {
  switch (candidates.type) {
    case "free":
      return " -f";
    case "words":
      return ` -f -a ${quoted(candidates.words.join(" "))}`;
    case "files":
      return ` ${files}`;
    case "directories":
      return " -f -a '(__fish_complete_directories (commandline -ct))'";
    case "kinds":
      return " -f -a '(__vendetta_kinds)'";
    case "names":
      return " -f -a '(__vendetta_names)'";
    case "namesOf":
      return ` -f -a '(__vendetta_names_of ${candidates.kind})'`;
    case "objects":
      return " -f -a '(__vendetta_get all)'";
  }
}
