import { Argument, Command, CommanderError, Option } from "commander";
import { packageVersion } from "./package-info.ts";
import type { GlobalOptions, RunInSession } from "./session.ts";
import { addSourceCommands } from "./source-commands.ts";
import { addExec, addShell, addWorkspaceCommands } from "./workspace-commands.ts";
import { ExitError, FailureError, type CliWorld } from "./world.ts";

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

const showManagedFields = "with -o json or yaml, also who owns which field";

type Action = Parameters<RunInSession>[0];

/**
 * The command line's grammar. When its first word is a command, only that one is described: all of them together cost
 * more than what most of them do.
 */
function createProgram(world: CliWorld, signal: AbortSignal, firstWord: string | undefined): Command {
  const program = new Command("vendetta")
    .description("A control plane for development environments: declare Nodes, Workspaces and Services, and loops keep them true.")
    .option("-n, --namespace <namespace>", "namespace to work in (default: default)")
    .option("--no-color", "no colours, also on a terminal")
    .version(packageVersion(), "-V, --version")
    .exitOverride()
    .configureOutput({ writeOut: (text) => void world.stdout.write(text), writeErr: (text) => void world.stderr.write(text) })
    .showSuggestionAfterError()
    .addHelpText("after", "\nStart with 'vendetta quickstart up', or with 'vendetta apply -f FILE'.");

  const run = async (action: Action) => {
    const { inSession } = await import("./create-session.ts");
    await inSession(world, program.opts<GlobalOptions>(), signal, action);
  };
  const fileOptions = (command: Command) => command.option("-f, --filename <path>", "manifest file, directory, or - for stdin; may be given several times", collect).option("-R, --recursive", "also the directories below").showHelpAfterError("Manifests are named with -f FILE, -f DIRECTORY or -f -; --help tells more.");
  const selectors = (command: Command) => command.option("-l, --selector <labels>", "only objects with these labels, such as app=web").option("--field-selector <fields>", "only objects with these fields, such as spec.workspace=dev");

  const groups: readonly (readonly [words: readonly string[], add: () => void])[] = [
    [["get"], () => addGet(program, run, selectors)],
    [["server", "version", "kubeconfig"], () => addServerCommands(program, run)],
    [["apply", "diff", "validate", "patch", "label", "annotate", "delete", "wait"], () => addObjectCommands(program, run, { fileOptions, selectors })],
    [["describe", "events", "logs", "exec", "shell", "explain-state", "explain", "api-resources"], () => addReadingCommands(program, run)],
    [["workspace", "ws", "quickstart", "restart"], () => addSugar(program, run)],
    [["node", "cluster"], () => addNodeCommands(program, run)],
    [["source"], () => addSourceCommands(program, { run, failingWithTwo: (action) => failingWith(diffFailureCode, action) })],
    [["completion"], () => addCompletion(program, run, () => createProgram(world, signal, undefined))],
  ];
  const meant = groups.filter(([words]) => firstWord !== undefined && words.includes(firstWord));
  for (const [, add] of meant.length > 0 ? meant : groups) add();
  return program;
}

/** Carries out a command line. Its exit code is 1 for a mistake in the line itself, which has been told; what a command throws is thrown. */
export async function parseCommandLine(argv: readonly string[], world: CliWorld, signal: AbortSignal): Promise<number> {
  try {
    await createProgram(world, signal, argv[0]).parseAsync(withCommandApart(argv), { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 1;
  }
}

/** `exec dev sh -c x` as `exec dev -- sh -c x`: the options of the command are its own, as with docker exec. */
function withCommandApart(argv: readonly string[]): readonly string[] {
  const execAt = ["workspace", "ws"].includes(argv[0]!) ? 1 : 0;
  if (argv[execAt] !== "exec" || argv.includes("--")) return argv;
  const valued = ["-n", "--namespace"];
  const words = argv.flatMap((word, i) => (i <= execAt || word.startsWith("-") || valued.includes(argv[i - 1]!) ? [] : [i]));
  // The first word is the target, the second the program.
  const program = words[1];
  return program === undefined ? argv : [...argv.slice(0, program), "--", ...argv.slice(program)];
}

type Run = RunInSession;

const diffFailureCode = 2;

async function failingWith(exitCode: number, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw error instanceof ExitError ? error : new FailureError(exitCode, error);
  }
}

function addSugar(program: Command, run: Run): void {
  program.command("restart <service...>").description("restart Services: each is stopped gracefully and started again").option("--wait", "wait until they are Ready again").option("--timeout <duration>", "how long --wait waits", "60s")
    .action((names: string[], options) => run(async (session) => (await import("./commands/restart.ts")).restart(session, names, options)));
  addWorkspaceCommands(program, run);

  const quickstart = program.command("quickstart").description("the example: four services in one workspace");
  quickstart.command("up").description("start it, with Docker where there is one").option("--dir <directory>", "where its manifests are").option("--timeout <duration>", "how long to wait", "120s")
    .action((options) => run(async (session) => (await import("./commands/quickstart.ts")).quickstartUp(session, options)));
  quickstart.command("down").description("delete it and stop the server").option("--dir <directory>", "where its manifests are")
    .action((options) => run(async (session) => (await import("./commands/quickstart.ts")).quickstartDown(session, options)));
}

function addNodeCommands(program: Command, run: Run): void {
  const node = program.command("node").description("machines that Workspaces run on: add, look at, drain and remove them");
  const acceptHostKey = ["--accept-host-key <fingerprint>", "host key to accept without asking, as ssh-keygen -l prints it: SHA256:…; may be given several times", collect] as const;
  node.command("add <machine>").description("make a machine a Node: [user@]host[:port], or a Host of ~/.ssh/config; nothing is installed there but a key")
    .option("--name <text>", "name of the Node (default: the machine's, as typed)")
    .option("--identity <file>", "private key to get in with, before the agent's and those in ~/.ssh")
    .option("--jump <machine>", "machine to go through: [user@]host[:port], or several in a row with commas between (default: ProxyJump of ~/.ssh/config)")
    .option(...acceptHostKey)
    .option("--label <variable>", "KEY=VALUE that Workspaces may select it by; may be given several times", collect)
    .option("--docker-socket <path>", "where its Docker engine listens (default: looked for in the usual places)")
    .option("--password-stdin", "read the password for getting in from stdin")
    .option("--timeout <duration>", "how long to wait until it is Ready", "30s")
    .action((target: string, options) => run(async (session) => (await import("./commands/node-add.ts")).nodeAdd(session, target, options)));
  node.command("list").alias("ls").description("list Nodes").option("-o, --output <format>", "json, yaml, name, wide or jsonpath=TEMPLATE (default: wide where there is room)")
    .action((options) => run(async (session) => (await import("./commands/node-list.ts")).nodeList(session, options)));
  node.command("status [node]").description("how a Node is, what it has, and what is on it; without a name, of all Nodes")
    .action((name: string | undefined) => run(async (session) => (await import("./commands/node-status.ts")).nodeStatus(session, name)));
  node.command("remove <node>").alias("rm").description("delete a Node that has no Workspaces, and take the cluster's key away from its machine").option("--keep-key", "leave the key there").option("--timeout <duration>", "how long to wait", "60s")
    .action((name: string, options) => run(async (session) => (await import("./commands/node-remove.ts")).nodeRemove(session, name, options)));
  node.command("forget <node>").description("let go of a Node whose machine is gone, with its Workspaces, and say what may be left there").option("-y, --yes", "do not ask")
    .action((name: string, options) => run(async (session) => (await import("./commands/node-forget.ts")).nodeForget(session, name, options)));
  node.command("trust <node>").description("pin the host key that a Node's machine shows now, after it has changed").option(...acceptHostKey)
    .action((name: string, options) => run(async (session) => (await import("./commands/node-trust.ts")).nodeTrust(session, name, options)));
  for (const verb of ["cordon", "uncordon"] as const) {
    node.command(`${verb} <node...>`).description(verb === "cordon" ? "place no new Workspaces on Nodes; what runs stays" : "place new Workspaces on Nodes again, and start what a drain stopped")
      .action((names: string[]) => run(async (session) => (await import("./commands/node-drain.ts")).nodeCordon(session, verb, names)));
  }
  node.command("drain <node>").description("cordon a Node, move its Workspaces that have spec.failover to others, and stop the rest").option("--timeout <duration>", "how long to wait", "5m")
    .option("--move", "move all that do not name this Node; what is only on the disks here is lost").option("-y, --yes", "do not ask before that")
    .action((name: string, options) => run(async (session) => (await import("./commands/node-drain.ts")).nodeDrain(session, name, options)));

  const cluster = program.command("cluster").description("Nodes, Workspaces and Services all together");
  cluster.command("status").description("problems first, then Nodes with what is used of them, Workspaces and Services").option("-o, --output <format>", "json").option("-w, --watch", "go on with each change").option("--check", "exit code 1 when something is not as wished")
    .action((options) => run(async (session) => (await import("./commands/cluster-status.ts")).clusterStatus(session, options)));
}

function addServerCommands(program: Command, run: Run): void {
  const server = program.command("server").description("the vendetta server of this home");
  const portOption = ["--port <port>", "port of HTTPS on 127.0.0.1: a number, auto or off (default: as the last time; else auto)"] as const;
  const watchOption = ["--watch <directory>", `directory of manifests that the cluster follows from now on, as Source "watch"`] as const;
  server.command("start").description("start it in the background and wait until it is ready").option("--foreground", "stay in the foreground, logging to stdout").option(...portOption).option(...watchOption)
    .action((options) => run(async (session) => (await import("./commands/server.ts")).serverStart(session, options)));
  server.command("run").description("run it in the foreground, logging to stdout").option(...portOption).option(...watchOption)
    .action((options) => run(async (session) => (await import("./commands/server.ts")).serverRun(session, options)));
  server.command("stop").description("stop it; workloads keep running")
    .action(() => run(async (session) => (await import("./commands/server.ts")).serverStop(session)));
  server.command("logs").description("what it wrote to its log, whether it runs or not").option("-f, --follow", "go on with what is written").option("--tail <lines>", "only the last lines")
    .action((options) => run(async (session) => (await import("./commands/server-logs.ts")).serverLogs(session, options)));
  server.command("status").description("whether and where it runs").option("-o, --output <format>", "json")
    .action((options) => run(async (session) => (await import("./commands/server.ts")).serverStatus(session, options)));
  program.command("version").description("versions of this command and of the server")
    .action(() => run(async (session) => (await import("./commands/server.ts")).version(session)));

  const kubeconfig = program.command("kubeconfig").description("print the path of the kubeconfig, for kubectl and other clients of Kubernetes")
    .option("--raw", "print what is in it")
    .option("-o, --output <format>", "yaml: as --raw")
    .addHelpText("after", "\nExample: export KUBECONFIG=$(vendetta kubeconfig); kubectl get workspaces")
    .action((options) => run(async (session) => (await import("./commands/kubeconfig.ts")).kubeconfig(session, options)));
  kubeconfig.command("rotate").description("replace the token and the server's certificate; the old ones are refused at once").option("--ca", "also the certificate authority")
    .action((options) => run(async (session) => (await import("./commands/kubeconfig.ts")).kubeconfigRotate(session, options)));
}

function addObjectCommands(program: Command, run: Run, { fileOptions, selectors }: Record<"fileOptions" | "selectors", (command: Command) => Command>): void {
  fileOptions(program.command("apply").description("make objects be as their manifests say"))
    .option("-l, --selector <labels>", "only manifests with these labels, such as app=web; with --prune, also delete only objects with them")
    .option("--prune", "afterwards delete the Services and Workspaces that were applied before and are in no manifest any more; needs -l or --all")
    .option("--all", "--prune may delete any of them in the manifests' namespaces")
    .option("--wait", "wait until all are Ready")
    .option("--timeout <duration>", "how long --wait waits", "60s")
    .addOption(new Option("--dry-run [how]", "change nothing: client checks here, server asks it (default: client; with --prune or --server-side: server)").choices(["none", "client", "server"]))
    .option("--server-side", "let the server merge, and keep who owns which field: others may apply to the same objects")
    .option("--force-conflicts", "with --server-side, take fields that others own")
    .option("--field-manager <name>", "with --server-side, who owns what is applied (default: kubectl, to take turns with it)")
    .option("-o, --output <format>", "json, yaml, name or jsonpath=TEMPLATE")
    .option("--show-managed-fields", showManagedFields)
    .action((options) => run(async (session) => (await import("./commands/apply.ts")).apply(session, options)));
  // 1 says that there is a difference: a mistake in the line itself has been told, and needs another code too.
  fileOptions(program.command("diff").description("show what apply would change, or, of the directory that a Source follows, what its next sync would do; exit code 1 when there is something, 2 on an error"))
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new ExitError(diffFailureCode);
    })
    .option("--server-side", "ask the server what 'apply --server-side' would make of it")
    .option("--force-conflicts", "with --server-side, as if fields that others own were taken")
    .option("--field-manager <name>", "with --server-side, who would own what is applied (default: kubectl)")
    .option("--show-managed-fields", "also who would own which field")
    .action((options) => failingWith(diffFailureCode, () => run(async (session) => (await import("./commands/diff.ts")).diff(session, options))));
  fileOptions(program.command("validate").description("check manifests without a server"))
    .action((options) => run(async (session) => (await import("./commands/validate.ts")).validate(session, options)));
  program.command("patch <kind> [name...]").description("change some fields of an object")
    .option("-p, --patch <patch>", "the patch, as JSON or YAML")
    .option("--patch-file <file>", "a file with the patch")
    .option("--type <type>", "merge (RFC 7386) or json (RFC 6902)", "merge")
    .option("--subresource <subresource>", "status")
    .addOption(new Option("--dry-run [how]", "change nothing: ask the server what would come out").choices(["none", "server"]).preset("server"))
    .option("-o, --output <format>", "json, yaml, name or jsonpath=TEMPLATE")
    .option("--show-managed-fields", showManagedFields)
    .action((kind: string, names: string[], options) => run(async (session) => (await import("./commands/patch.ts")).patch(session, [kind, ...names], options)));
  for (const [verb, what] of [["label", "labels"], ["annotate", "annotations"]] as const) {
    program.command(`${verb} <kind> [name...]`).description(`set ${what} of objects: NAME... KEY=VALUE..., and KEY- takes one away`)
      .option("--overwrite", "also change what has another value")
      .addOption(new Option("--dry-run [how]", "change nothing: ask the server what would come out").choices(["none", "server"]).preset("server"))
      .option("-o, --output <format>", "json, yaml, name or jsonpath=TEMPLATE")
      .action((kind: string, words: string[], options) => run(async (session) => (await import("./commands/label.ts"))[verb](session, [kind, ...words], options)));
  }
  selectors(fileOptions(program.command("delete [kind] [name...]").description("delete objects, and wait until they are gone")))
    .option("--all", "all objects of the kind in the namespace")
    .option("--ignore-not-found", "a missing object is no error")
    .option("--wait [value]", "false: do not wait until they are gone")
    .option("--timeout <duration>", "how long to wait", "5m")
    .action((kind: string | undefined, names: string[], options) => run(async (session) => (await import("./commands/delete.ts")).deleteCommand(session, kind === undefined ? [] : [kind, ...names], options)));
  selectors(program.command("wait <kind> [name...]").description("wait for a condition of objects, or until they are gone"))
    .requiredOption("--for <what>", "condition=TYPE[=STATUS], delete or jsonpath={PATH}[=VALUE]")
    .option("--all", "all objects of the kind")
    .option("-A, --all-namespaces", "of all namespaces")
    .option("--timeout <duration>", "how long to wait", "30s")
    .action((kind: string, names: string[], options) => run(async (session) => (await import("./commands/wait.ts")).wait(session, [kind, ...names], options)));
}

function addGet(program: Command, run: Run, selectors: (command: Command) => Command): void {
  selectors(program.command("get <kind> [name...]").description("list objects"))
    .option("-A, --all-namespaces", "of all namespaces")
    .option("-o, --output <format>", "json, yaml, name, wide, jsonpath=TEMPLATE or custom-columns=NAME:PATH,…")
    .option("-w, --watch", "go on with each change")
    .option("--sort-by <jsonpath>", "order by a field, such as .metadata.creationTimestamp; objects without it come first")
    .option("--show-labels", "a last column with the labels")
    .option("--show-managed-fields", showManagedFields)
    .option("--no-headers", "no line of column names")
    .option("--ignore-not-found", "a missing object is no error")
    .addHelpText("after", "\nBesides the kinds of 'vendetta api-resources': 'all', and 'orphans', which are instances that nobody owns.")
    .action((kind: string, names: string[], options) => run(async (session) => (await import("./commands/get.ts")).get(session, [kind, ...names], options)));
}

function addReadingCommands(program: Command, run: Run): void {
  program.command("describe <kind> [name...]").description("all there is to know of objects, with their events")
    .action((kind: string, names: string[]) => run(async (session) => (await import("./commands/describe.ts")).describe(session, [kind, ...names])));
  program.command("events").description("what happened, oldest first").option("--for <kind/name>", "only of this object").option("-A, --all-namespaces", "of all namespaces").option("-w, --watch", "go on with what happens")
    .action((options) => run(async (session) => (await import("./commands/events.ts")).events(session, options)));
  program.command("logs <service>").description("the log of a Service").option("-f, --follow", "go on with what is written").option("--tail <lines>", "only the last lines").option("-p, --previous", "of the run before")
    .option("--console", "of the Workspace of that name, what its console showed last: how a virtual machine boots, say")
    .action((name: string, options) => run(async (session) => (await import("./commands/logs.ts")).logs(session, name, options)));
  addExec(program, run);
  addShell(program.command("shell <workspace|service/name>"), run);
  program.command("explain-state <kind> [name]").description("why an object is not Ready, down to the cause")
    .action((kind: string, name: string | undefined) => run(async (session) => (await import("./commands/explain-state.ts")).explainState(session, name === undefined ? [kind] : [kind, name])));
  program.command("explain <field>").description("what the fields of a kind mean, such as service.spec.healthCheck")
    .action((path: string) => run(async (session) => (await import("./commands/explain.ts")).explain(session, path)));
  program.command("api-resources").description("the kinds there are").option("--no-headers", "no line of column names")
    .action((options) => run(async (session) => (await import("./commands/explain.ts")).apiResources(session, options)));
}

/** @param whole makes the program with all its commands: this one may have been made with a few */
function addCompletion(program: Command, run: Run, whole: () => Command): void {
  program.command("completion").description("print a script that makes the Tab key complete commands, options and names")
    .addArgument(new Argument("<shell>", "your shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", `
Load it when the shell starts:
  bash, in ~/.bashrc:                    source <(vendetta completion bash)
  zsh, in ~/.zshrc, after compinit:      source <(vendetta completion zsh)
  fish, in ~/.config/fish/config.fish:   vendetta completion fish | source`)
    .action((shell: "bash" | "zsh" | "fish") => run(async (session) => (await import("./commands/completion.ts")).completion(session, shell, whole())));
}
