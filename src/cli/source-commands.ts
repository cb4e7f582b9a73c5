import type { Command } from "commander";
import type { RunInSession } from "./session.ts";

export interface SourceGrammar {
  readonly run: RunInSession;
  /** For a command whose exit code 1 says something: a failure then is another code. */
  readonly failingWithTwo: (action: () => Promise<void>) => Promise<void>;
}

/** The grammar of `vendetta source`. */
export function addSourceCommands(program: Command, { run, failingWithTwo }: SourceGrammar): void {
  const source = program.command("source").description("directories and git repositories of manifests that the cluster follows");
  source.command("list").alias("ls").description("list Sources").option("-o, --output <format>", "json, yaml, name, wide or jsonpath=TEMPLATE")
    .action((options) => run(async (session) => (await import("./commands/get.ts")).get(session, ["sources"], options)));
  source.command("status <source>").description("how a Source is: what was applied last, what is wrong with what was read, what is held back, what others have changed")
    .action((name: string) => run(async (session) => (await import("./commands/source-status.ts")).sourceStatus(session, name)));
  source.command("diff <source>").description("show what the next sync would do, and do nothing; exit code 1 when there is something, 2 on an error")
    .action((name: string) => failingWithTwo(() => run(async (session) => (await import("./commands/source-diff.ts")).sourceDiff(session, name))));
  source.command("sync <source>").description("read it now, the repository too, and wait until it is applied").option("--timeout <duration>", "how long to wait", "60s")
    .action((name: string, options) => run(async (session) => (await import("./commands/source-actions.ts")).sourceSync(session, name, options)));
  for (const verb of ["suspend", "resume"] as const) {
    source.command(`${verb} <source>`).description(verb === "suspend" ? "read and apply nothing until it is resumed; the objects stay as they are" : "read and apply it again")
      .action((name: string) => run(async (session) => (await import("./commands/source-actions.ts")).sourceSuspend(session, verb, name)));
  }
  source.command("approve <source>").description("carry out the deletions that are held back, as 'source status' shows them, and wait until the objects are gone").option("--timeout <duration>", "how long to wait", "60s")
    .action((name: string, options) => run(async (session) => (await import("./commands/source-actions.ts")).sourceApprove(session, name, options)));
}
