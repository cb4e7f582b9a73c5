import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const text = (...objects: object[]) => objects.map((each) => JSON.stringify(each)).join("\n---\n");
const dev = (spec: object = {}) => text(workspace("dev", spec));
const ref = { namespace: "default", name: "dev" };

describe("apply --server-side", () => {
  let cli: CliServer;
  beforeEach(async () => {
    cli = await cliServer();
  });
  afterEach(() => cli.stop());

  const owners = async () => ((await cli.store.get("Workspace", ref)).metadata.managedFields ?? []).map((entry) => `${(entry as any).manager} ${(entry as any).operation}`);

  it("prints what kubectl prints, and is kubectl's manager unless told", async () => {
    assert.deepEqual(await cli.run("apply --server-side -f -", { stdin: dev() }), { code: 0, stdout: "workspace.vendetta.dev/dev serverside-applied\n", stderr: "" });
    await cli.run("apply --server-side --field-manager me -f -", { stdin: dev() });
    assert.deepEqual((await owners()).sort(), ["kubectl Apply", "me Apply"]);
  });

  it("tells of a conflict and what can be done, changes nothing of the set, and takes the field when told", async () => {
    await cli.run("apply --server-side --field-manager other -f -", { stdin: dev() });
    const { code, stdout, stderr } = await cli.run("apply --server-side -f -", { stdin: text(workspace("dev", { image: "node:22" }), workspace("next")) });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: Apply failed with 1 conflict: conflict with "other": \.spec\.image\nPlease review the fields above--they currently have other managers\. Here\nare the ways/);
    assert.match(stderr, /command with the `--force-conflicts` flag\.[^]*#conflicts\n$/);
    assert.equal((await cli.store.list("Workspace")).items.length, 1);
    assert.equal((await cli.run("apply --server-side --force-conflicts -f -", { stdin: dev({ image: "node:22" }) })).stdout, "workspace.vendetta.dev/dev serverside-applied\n");
    assert.equal((await cli.store.get("Workspace", ref)).spec.image, "node:22");
  });

  it("as a dry run stores nothing", async () => {
    for (const how of ["--dry-run=server", "--dry-run"]) {
      assert.deepEqual(await cli.run(`apply --server-side -f - ${how}`, { stdin: dev() }), { code: 0, stdout: "workspace.vendetta.dev/dev serverside-applied (server dry run)\n", stderr: "" });
    }
    assert.deepEqual((await cli.store.list("Workspace")).items, []);
  });

  it("takes an object over from client-side apply, and can then take fields out", async () => {
    await cli.run("apply -f -", { stdin: dev({ env: { A: "1", B: "1" } }) });
    assert.deepEqual(await owners(), ["kubectl-client-side-apply Update"]);
    await cli.run("apply --server-side -f -", { stdin: dev({ env: { A: "2" } }) });
    assert.deepEqual((await cli.store.get("Workspace", ref)).spec.env, { A: "2" });
    assert.deepEqual(await owners(), ["kubectl Apply"]);
  });

  it("reports what is not valid at its place in the manifest", async () => {
    const { code, stderr } = await cli.run("apply --server-side -f -", { stdin: text(workspace("dev", { provider: "lxc" })).replace('"lxc"', '"docker"').replace('"node:20"', "7") });
    assert.equal(code, 1);
    assert.match(stderr, /spec\.image: must be /);
  });

  for (const [args, message] of [
    ["--force-conflicts", /--force-conflicts only works with --server-side/],
    ["--field-manager me", /--field-manager only works with --server-side/],
    ["--server-side --dry-run=client", /--dry-run=client doesn't work with --server-side \(did you mean --dry-run=server instead\?\)/],
    ["--server-side --prune --all", /--prune doesn't work with --server-side/],
  ] as const) {
    it(`refuses ${args}`, async () => {
      const { code, stderr } = await cli.run(`apply -f - ${args}`, { stdin: dev() });
      assert.equal(code, 1);
      assert.match(stderr, message);
    });
  }
});

describe("managedFields", () => {
  it("are hidden in JSON and YAML unless asked for", async () => {
    const cli = await cliServer();
    try {
      const shown = async (args: string) => (await cli.run(args)).stdout.includes("managedFields");
      await cli.run("apply --server-side -f -", { stdin: text(workspace("dev"), workspace("next")) });
      for (const what of ["get ws", "get ws dev", "get ws dev next", "patch ws dev -p {}", "describe ws dev"]) {
        for (const format of what.startsWith("describe") ? [""] : [" -o json", " -o yaml"]) {
          assert.equal(await shown(`${what}${format}`), false, `${what}${format}`);
          if (format !== "") assert.equal(await shown(`${what}${format} --show-managed-fields`), true, `${what}${format} --show-managed-fields`);
        }
      }
      assert.equal((await cli.run("get ws dev -o jsonpath={.metadata.managedFields[*].manager}")).stdout, "kubectl");
    } finally {
      await cli.stop();
    }
  });
});
