import type { Command } from "commander";
import type { RunInSession } from "./session.ts";

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** The grammar of `vendetta workspace`: words for what manifests say, too. */
export function addWorkspaceCommands(program: Command, run: RunInSession): void {
  const workspace = program.command("workspace").alias("ws").description("make, start, stop, list and remove Workspaces, and work in them");
  workspace.command("create <new-name>").description("make a Workspace and wait until it is Ready; for more than this says, apply a manifest")
    .option("--image <image>", "what a container is made from, such as node:20")
    .option("--provider <provider>", "docker, lxc, qemu or host, which is plain processes without isolation (default: docker)")
    .option("--node <node>", "Node to run on (default: a Ready one with room)")
    .option("--mount <mount>", "SOURCE:PATH[:ro], such as ./src:/src for a directory of the Node or data:/data for a kept volume; may be given several times", collect)
    .option("--env <variable>", "NAME=VALUE; may be given several times", collect)
    .option("--publish <ports>", "PORT[:NODEPORT] to reach from outside; may be given several times", collect)
    .option("--workdir <text>", "directory that commands start in")
    .option("--cpu <quantity>", "most cores used at once: 2, 500m")
    .option("--memory <quantity>", "most memory: 512Mi, 2Gi")
    .option("--timeout <duration>", "how long to wait", "120s")
    .option("--dry-run", "print the manifest, and make nothing")
    .action((name: string, options) => run(async (session) => (await import("./commands/workspace-create.ts")).workspaceCreate(session, name, options)));
  for (const [verb, alias] of [["up", "start"], ["down", "stop"]] as const) {
    workspace.command(`${verb} <workspace>`).alias(alias)
      .description(verb === "up" ? "start a Workspace and wait until it is Ready" : "stop a Workspace, keeping its disk, and wait until it has stopped")
      .option("--timeout <duration>", "how long to wait", "120s")
      .action((name: string, options) => run(async (session) => (await import("./commands/workspace.ts")).workspaceState(session, verb, name, options)));
  }
  workspace.command("list").alias("ls").description("list Workspaces").option("-A, --all-namespaces", "of all namespaces").option("-o, --output <format>", "json, yaml, name, wide or jsonpath=TEMPLATE")
    .action((options) => run(async (session) => (await import("./commands/get.ts")).get(session, ["workspaces"], options)));
  workspace.command("rm <workspace...>").description("delete Workspaces with their disks, and wait until they are gone").option("--timeout <duration>", "how long to wait", "5m")
    .action((names: string[], options) => run(async (session) => (await import("./commands/delete.ts")).deleteCommand(session, ["workspaces", ...names], options)));
  workspace.command("snapshot <workspace> [snapshot]").description("keep a Workspace's own disk as it is now, under a name, until it is deleted; volumes and mounts are not part of it")
    .option("--delete", "delete the snapshot of that name")
    .option("--timeout <duration>", "how long to wait", "5m")
    .action((name: string, snapshot: string | undefined, options) => run(async (session) => (await import("./commands/workspace-snapshot.ts")).workspaceSnapshot(session, name, snapshot, options)));
  workspace.command("snapshots <workspace>").description("list a Workspace's snapshots")
    .action((name: string) => run(async (session) => (await import("./commands/workspace-snapshot.ts")).workspaceSnapshots(session, name)));
  workspace.command("restore <workspace> <snapshot>").description("put a Workspace's own disk back to a snapshot; what was written to it since is lost")
    .option("-y, --yes", "do not ask before that")
    .option("--timeout <duration>", "how long to wait", "5m")
    .action((name: string, snapshot: string, options) => run(async (session) => (await import("./commands/workspace-snapshot.ts")).workspaceRestore(session, name, snapshot, options)));
  addShell(workspace.command("connect <workspace|service/name>").alias("shell"), run);
  addExec(workspace, run);
}

/** `vendetta shell`, under whatever name. */
export function addShell(command: Command, run: RunInSession): void {
  command.description("open a shell in a Workspace, on whichever Node it is; the best one that is there")
    .option("--service <service>", "with the environment and in the directory of this Service")
    .action((target: string, options) => run(async (session) => (await import("./commands/shell.ts")).shell(session, target, options)));
}

/** `exec`, of the program and of `workspace`. */
export function addExec(parent: Command, run: RunInSession): void {
  parent.command("exec <workspace|service/name> [command...]").description("run a command in a Workspace, or as service/NAME with a Service's environment").option("-i, --stdin", "hand this command's input on").option("-t, --tty", "give it a terminal")
    .addHelpText("after", "\nExample: vendetta exec -it dev -- sh")
    .action((target: string, argv: string[], options) => run(async (session) => (await import("./commands/exec.ts")).exec(session, target, argv, options)));
}
