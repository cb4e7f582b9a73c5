import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { mainFile } from "../harness/cli.ts";
import { startProgram, type ProgramResult } from "../harness/program.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const service = (name: string, namespace = "default") => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace }, spec: { workspace: "dev", command: ["a"] } });
const skipWithout = (shell: string) => ({ skip: spawnSync(shell, ["-c", "true"]).error === undefined ? false : `${shell} is not installed` });
const kinds = ["namespaces", "events", "nodes", "workspaces", "services", "sources", "leases", "pods"];

let cli: CliServer;
let directory: string;
before(async () => {
  cli = await cliServer();
  directory = join(cli.home, "completion");
  mkdirSync(join(directory, "bin"), { recursive: true });
  // As it is installed: a command named vendetta on the PATH. Each call is noted with what it was told of autostart.
  const command = join(directory, "bin", "vendetta");
  writeFileSync(command, `#!/bin/sh\necho "$VENDETTA_NO_AUTOSTART $*" >>'${directory}/calls'\nexec '${process.execPath}' '${mainFile}' "$@"\n`);
  chmodSync(command, 0o755);
  mkdirSync(join(directory, "my files"));
  writeFileSync(join(directory, "my web.yaml"), "");
  for (const object of [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } }, service("web"), service("worker"), service("api"), service("theirs", "team"), workspace("dev")]) await cli.store.create(object.kind as "Service", object as never);
});
after(() => cli.stop());

const scriptOf = async (shell: string) => {
  const { code, stdout, stderr } = await cli.run(["completion", shell]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const file = join(directory, `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
};

/** Not spawnSync: the server that is asked lives in this process. */
function run(command: string, args: readonly string[], home = cli.home): Promise<ProgramResult> {
  return startProgram(command, args, { cwd: directory, env: { PATH: `${join(directory, "bin")}:${process.env["PATH"]}`, HOME: directory, VENDETTA_HOME: home }, stdin: "", timeoutMs: 60_000 }).ended;
}

describe("completion", () => {
  it("refuses a shell it does not know, and says how to load those it knows", async () => {
    const { code, stderr } = await cli.run("completion tcsh");
    assert.equal(code, 1);
    assert.match(stderr, /'tcsh' is invalid.*bash, zsh, fish/);
    assert.match((await cli.run("completion --help")).stdout, /source <\(vendetta completion bash\)/);
  });
  it("is of the whole grammar", async () => {
    const commands = [...(await cli.run("--help")).stdout.matchAll(/^ {2}([a-z][a-z-]*)(?:\|(\S+))? .*/gm)].flatMap(([, name, alias]) => [name!, ...(alias === undefined ? [] : [alias])]);
    assert.ok(commands.length > 15, commands.join(" "));
    for (const shell of ["bash", "zsh", "fish"]) {
      const { stdout } = await cli.run(["completion", shell]);
      for (const word of [...commands, "up", "field-selector"]) assert.match(stdout, new RegExp(`(?<![a-z])${word}(?![a-z])`), `${word} in ${shell}`);
    }
  });
});

// Told of each test and not of the whole, so that what is skipped is counted.
const [needsBash, needsZsh, needsFish] = ["bash", "zsh", "fish"].map(skipWithout) as [SkipOptions, SkipOptions, SkipOptions];
type SkipOptions = ReturnType<typeof skipWithout>;

describe("completion in bash", () => {
  let script: string;
  before(async () => {
    script = await scriptOf("bash");
  });

  /** What is offered for the last of these words, as bash would have cut them. */
  async function offered(words: readonly string[], home?: string): Promise<readonly string[]> {
    const { code, stdout, stderr } = await run("bash", ["--norc", "--noprofile", "-uc", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vendetta; printf '%s\\n' \${COMPREPLY[@]+"\${COMPREPLY[@]}"}`, "bash", script, ...words], home);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
    return stdout.split("\n").filter((line) => line !== "");
  }

  it("is registered for vendetta", needsBash, async () => {
    assert.equal((await run("bash", ["--norc", "--noprofile", "-c", `source "$1"; complete -p vendetta`, "bash", script])).stdout, "complete -F _vendetta vendetta\n");
  });

  const rows: readonly (readonly [line: string, offer: readonly string[]])[] = [
    ["vendetta ap", ["apply", "api-resources"]],
    ["vendetta -n team des", ["describe"]],
    ["vendetta workspace ", ["create", "up", "start", "down", "stop", "list", "ls", "rm", "snapshot", "snapshots", "restore", "connect", "shell", "exec", "help"]],
    ["vendetta ws u", ["up"]],
    ["vendetta apply --dr", ["--dry-run"]],
    ["vendetta apply --na", ["--namespace"]],
    ["vendetta apply --dry-run = ", ["none", "client", "server"]],
    ["vendetta apply --dry-run =", ["none", "client", "server"]],
    ["vendetta apply --dry-run = s", ["server"]],
    ["vendetta get svc --output = j", ["json", "jsonpath="]],
    ["vendetta get svc -o ", ["json", "yaml", "name", "wide", "jsonpath=", "custom-columns="]],
    ["vendetta server status -o ", ["json"]],
    ["vendetta get ", kinds],
    ["vendetta get s", ["services", "sources"]],
    ["vendetta get svc ", ["api", "web", "worker"]],
    ["vendetta get services we", ["web"]],
    ["vendetta get -o wide svc web wo", ["worker"]],
    ["vendetta get svc/w", ["svc/web", "svc/worker"]],
    ["vendetta get svc/web ws/", ["ws/dev"]],
    ["vendetta get svc -n team ", ["theirs"]],
    ["vendetta --namespace = team get svc ", ["theirs"]],
    ["vendetta get svc -n t", ["team"]],
    ["vendetta get nonsense ", []],
    ["vendetta get -- svc -", []],
    ["vendetta logs w", ["web", "worker"]],
    ["vendetta logs --tail ", []],
    ["vendetta logs web ", []],
    ["vendetta workspace up ", ["dev"]],
    ["vendetta wait svc web --for ", ["condition=Ready", "delete", "jsonpath="]],
    ["vendetta wait svc web --for = condition = ", []],
    ["vendetta events --for ", ["service.vendetta.dev/api", "service.vendetta.dev/web", "service.vendetta.dev/worker", "workspace.vendetta.dev/dev"]],
    ["vendetta explain w", ["workspace"]],
    ["vendetta completion ", ["bash", "zsh", "fish"]],
    ["vendetta nonsense ", []],
  ];
  for (const [line, offer] of rows) {
    it(`${line}⇥ offers ${offer.length === 0 ? "nothing" : offer.join(", ")}`, needsBash, async () => {
      const found = await offered(line.split(" "));
      assert.deepEqual(line.endsWith("events --for ") ? [...found].sort() : found, offer);
    });
  }

  it("offers files for -f, and directories for --dir, blanks in their names and all", needsBash, async () => {
    assert.deepEqual([...(await offered(["vendetta", "apply", "-f", "my"]))].sort(), ["my files", "my web.yaml"]);
    assert.deepEqual(await offered(["vendetta", "quickstart", "up", "--dir", "my"]), ["my files"]);
  });
  it("runs nothing that is in the words", needsBash, async () => {
    for (const word of ["$(touch pwned)", "`touch pwned`", "x;touch pwned", "*"]) {
      assert.deepEqual(await offered(["vendetta", "get", word, ""]), []);
      assert.deepEqual(await offered(["vendetta", "get", `${word}/`]), []);
    }
    assert.deepEqual(await offered(["vendetta", "apply", "-f", "pwned"]), []);
  });
  it("is quiet and starts nothing where no server runs", needsBash, async () => {
    assert.deepEqual(await offered(["vendetta", "get", "svc", ""], join(directory, "other-home")), []);
    const { stdout } = await run("cat", ["calls"]);
    assert.deepEqual(stdout.split("\n").filter((line) => line !== "" && !line.startsWith("1 get ")), []);
  });
});

describe("completion in zsh", () => {
  it("is a script that zsh reads without complaint", needsZsh, async () => {
    assert.deepEqual(await run("zsh", ["-n", await scriptOf("zsh")]), { code: 0, stdout: "", stderr: "" });
  });
});

describe("completion in fish", () => {
  it("is a script that fish reads without complaint", needsFish, async () => {
    assert.deepEqual(await run("fish", ["-n", await scriptOf("fish")]), { code: 0, stdout: "", stderr: "" });
  });
  it("offers what fits", needsFish, async () => {
    const script = await scriptOf("fish");
    for (const [line, offer] of [
      ["vendetta ap", ["api-resources", "apply"]],
      ["vendetta ws u", ["up"]],
      ["vendetta apply --dry-run=", ["--dry-run=client", "--dry-run=none", "--dry-run=server"]],
      ["vendetta get ", [...kinds].sort()],
      ["vendetta get svc w", ["web", "worker"]],
      ["vendetta get svc/w", ["svc/web", "svc/worker"]],
      ["vendetta get svc -n team ", ["theirs"]],
      ["vendetta get svc -o j", ["json", "jsonpath="]],
      ["vendetta logs a", ["api"]],
      ["vendetta workspace up ", ["dev"]],
    ] as const) {
      const { stdout, stderr } = await run("fish", ["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, line]);
      assert.equal(stderr, "");
      assert.deepEqual(stdout.split("\n").filter((each) => each !== "").map((each) => each.split("\t")[0]).sort(), offer, line);
    }
  });
});
