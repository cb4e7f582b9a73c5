import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { silentLogger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system.ts";
import { createUpgrader } from "../../src/server/upgrade.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const service = (name: string, of: string, namespace = "default") => ({ apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name, namespace }, spec: { workspace: of, command: ["a"] } });
const yaml = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");
const team = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } };

describe("what does not exist", () => {
  let cli: CliServer;
  const missing = (kind: "services" | "workspaces", name: string) => `error: ${kind}.vendetta.dev "${name}" not found; `;
  beforeEach(async () => {
    const nothing = () => Promise.reject(new Error("nothing runs here"));
    cli = await cliServer({
      logs: nothing, showConsole: nothing,
      upgrade: (store) => createUpgrader({ store, commands: async ({ kind, ref }) => (await store.get(kind, ref), await nothing()), logs: nothing, dial: nothing, clock: systemClock, log: silentLogger }),
    });
    const applied = await cli.run("apply -f -", { stdin: yaml(workspace("dev"), workspace("bare"), service("web", "dev"), service("db", "dev"), team, { ...workspace("far"), metadata: { name: "far", namespace: "team" } }) });
    assert.equal(applied.code, 0, applied.stderr);
  });
  afterEach(() => cli.stop());

  const aService = '"web" is a Service, in Workspace "dev"';
  const aWorkspace = '"dev" is a Workspace, with the Services db, web';
  for (const [args, says] of [
    ["logs dev", `${missing("services", "dev")}${aWorkspace}: 'vendetta logs db', or what its console showed: 'vendetta logs --console dev'\n`],
    ["logs bare", `${missing("services", "bare")}"bare" is a Workspace, without Services: what its console showed: 'vendetta logs --console bare'\n`],
    ["logs --console web", `${missing("workspaces", "web")}${aService}: vendetta logs --console dev\n`],
    ["restart dev", `${missing("services", "dev")}${aWorkspace}: vendetta restart db web\n`],
    ["exec web -- ls -l /", `${missing("workspaces", "web")}${aService}: vendetta exec service/web -- ls -l /\n`],
    ["exec -i service/dev -- sh -c a;b", `${missing("services", "dev")}${aWorkspace}: vendetta exec -i dev -- COMMAND\n`],
    ["workspace down web", `${missing("workspaces", "web")}${aService}\n`],
    ["get svc dev", `${missing("services", "dev")}${aWorkspace}\n`],
    ["delete svc dev", `${missing("services", "dev")}${aWorkspace}\n`],
    ["describe svc webb", `${missing("services", "webb")}did you mean "web"?\n`],
    ["describe ws far", `${missing("workspaces", "far")}there is one in namespace team: give -n team\n`],
    ["-n taem describe svc web", `${missing("services", "web")}there is no namespace "taem"; did you mean "team"?\n`],
    ["-n nope get svc web", `${missing("services", "web")}there is no namespace "nope"; 'vendetta get namespaces' lists those there are; to make it: echo '{apiVersion: v1, kind: Namespace, metadata: {name: nope}}' | vendetta apply -f -\n`],
    ["-n nope workspace create x --provider host", `error: namespaces "nope" not found; 'vendetta get namespaces' lists those there are; to make it: echo '{apiVersion: v1, kind: Namespace, metadata: {name: nope}}' | vendetta apply -f -\n`],
    ["describe svc quite-another", 'Error from server (NotFound): services.vendetta.dev "quite-another" not found\n'],
  ] as const) {
    it(`is told with what to type: ${args}`, async () => {
      assert.deepEqual(await cli.run(args), { code: 1, stdout: "", stderr: says });
    });
  }
  it("is told with the namespace that is worked in", async () => {
    await cli.run("apply -f -", { stdin: yaml(service("api", "far", "team")) });
    assert.match((await cli.run("-n team logs far")).stderr, /with the Service api: 'vendetta logs -n team api', or .*'vendetta logs -n team --console far'\n$/);
  });
  it("is told when a list comes out empty", async () => {
    for (const args of ["get svc", "describe ws", "events"]) {
      assert.match((await cli.run(`-n taem ${args}`)).stderr, /^No .* found in taem namespace\.\s+There is no namespace "taem"; did you mean "team"\?\n$/, args);
      assert.doesNotMatch((await cli.run(`-n team ${args.replace("ws", "svc")}`)).stderr, /no namespace/, args);
    }
  });
  it("is told once for all that is to be in a namespace, and not of one that comes with them", async () => {
    const { code, stderr } = await cli.run("-n nope apply -f -", { stdin: yaml({ ...workspace("a"), metadata: { name: "a" } }, { ...workspace("b"), metadata: { name: "b" } }) });
    assert.equal(code, 1);
    assert.match(stderr, /^error: stdin:1:1: namespaces "nope" not found; 'vendetta get namespaces' .*\n$/);
    assert.equal((await cli.run("apply -f -", { stdin: yaml({ ...team, metadata: { name: "fresh" } }, { ...workspace("a"), metadata: { name: "a", namespace: "fresh" } }) })).code, 0);
  });
});
