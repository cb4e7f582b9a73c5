import assert from "node:assert/strict";
import { resolve } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parse } from "yaml";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const ref = { namespace: "default", name: "dev" };
const ready = { observedGeneration: 1, phase: "Running", conditions: [{ type: "Ready", status: "True", reason: "Running", message: "runs", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 }] };

describe("workspace create", () => {
  let cli: CliServer;
  beforeEach(async () => {
    cli = await cliServer();
  });
  afterEach(() => cli.stop());

  it("writes what its options say, and waits until it is so", async () => {
    const running = cli.run("workspace create dev --image node:20 --node box --mount ./src:/src --mount data:/data:ro --env A=1=2 --publish 8080 --publish 9229:29229 --cpu 500m --memory 1Gi --workdir /src");
    for (;;) {
      const { items } = await cli.store.list("Workspace");
      if (items.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { spec, metadata } = await cli.store.get("Workspace", ref);
    await cli.store.updateStatus("Workspace", { ...(await cli.store.get("Workspace", ref)), status: ready } as never);
    const { code, stdout, stderr } = await running;
    assert.deepEqual([code, stdout], [0, "workspace.vendetta.dev/dev created\n"]);
    assert.match(stderr, /(^|\n)workspace\/dev: Running\n$/);
    assert.equal(metadata.namespace, "default");
    const { provider, image, nodeName, mounts, env, ports, resources, workingDir } = spec;
    assert.deepEqual({ provider, image, nodeName, env, resources, workingDir }, { provider: "docker", image: "node:20", nodeName: "box", env: { A: "1=2" }, resources: { cpu: "500m", memory: "1Gi" }, workingDir: "/src" });
    assert.deepEqual(mounts, [{ path: "/src", hostPath: resolve("src"), readOnly: false }, { path: "/data", volume: "data", readOnly: true }]);
    assert.deepEqual(ports, [{ port: 8080 }, { port: 9229, nodePort: 29229 }]);
  });

  it("tells when the time is up what it waits for, and leaves it", async () => {
    const { code, stdout, stderr } = await cli.run("workspace create dev --provider host --timeout 50ms");
    assert.deepEqual([code, stdout], [1, "workspace.vendetta.dev/dev created\n"]);
    assert.match(stderr, /1 of 1 not ready after 0\.05 s:[^]*They go on trying; 'vendetta explain-state workspace dev' tells why; 'vendetta workspace rm dev' removes it\n$/);
  });

  it("prints as a dry run a manifest that apply takes, and makes nothing", async () => {
    const { code, stdout } = await cli.run("-n default workspace create dev --image node:20 --mount data:/data --dry-run");
    assert.equal(code, 0);
    assert.deepEqual(parse(stdout), workspace("dev", { mounts: [{ path: "/data", volume: "data" }] }));
    assert.deepEqual((await cli.store.list("Workspace")).items, []);
    assert.equal((await cli.run("apply -f -", { stdin: stdout })).stdout, "workspace.vendetta.dev/dev created\n");
  });

  for (const [args, says] of [
    ["dev", /^error: say what it is made from: --image IMAGE for a container, or --provider host/],
    ["dev --provider docker", /spec\.image: is required for provider docker/],
    ["dev --provider podman", /spec\.provider: .*podman/],
    ["Dev_1 --provider host", /metadata\.name/],
    ["dev --image a --env A", /^error: --env: "A" is not NAME=VALUE/],
    ["dev --image a --env 1A=2", /spec\.env/],
    ["dev --image a --mount /src", /^error: --mount: "\/src" is not SOURCE:PATH/],
    ["dev --image a --mount a:/b:rw", /^error: --mount: "a:\/b:rw" is not SOURCE:PATH/],
    ["dev --image a --mount a:b", /spec\.mounts\[0\]\.path: "b" must be an absolute path/],
    ["dev --image a --publish http", /^error: --publish: "http" is not PORT/],
    ["dev --image a --publish 70000", /spec\.ports\[0\]\.port: 70000 must be between 1 and 65535/],
    ["dev --image a --cpu much", /spec\.resources\.cpu/],
    ["dev --image a --timeout soon", /^error: --timeout: "soon" is not a duration/],
  ] as const) {
    it(`refuses ${args}, before anything is stored`, async () => {
      const { code, stdout, stderr } = await cli.run(`workspace create ${args}`);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, says);
      assert.deepEqual((await cli.store.list("Workspace")).items, []);
    });
  }

  it("stays on this machine with a relative directory", async () => {
    const spec = async (mount: string) => (parse((await cli.run(`workspace create dev --image a --mount ${mount} --dry-run`)).stdout) as { spec: object }).spec;
    assert.deepEqual(await spec("src/:/src"), { provider: "docker", image: "a", mounts: [{ path: "/src", hostPath: resolve("src") }], nodeSelector: { "vendetta.dev/local": "true" } });
    assert.deepEqual(await spec("/srv/../opt:/src"), { provider: "docker", image: "a", mounts: [{ path: "/src", hostPath: "/opt" }] });
  });

  it("checks a dry run without asking the server", async () => {
    const { code, stdout, stderr } = await cli.run("workspace create dev --provider docker --dry-run");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^error: Workspace\.vendetta\.dev "dev" is invalid: spec\.image: is required/);
  });

  it("refuses a name that is taken", async () => {
    await cli.store.create("Workspace", workspace("dev") as never);
    const { code, stderr } = await cli.run("workspace create dev --provider host");
    assert.equal(code, 1);
    assert.match(stderr, /workspaces\.vendetta\.dev "dev" already exists/);
  });
});

describe("workspace stop and start", () => {
  it("are down and up", async () => {
    const cli = await cliServer();
    try {
      await cli.store.create("Workspace", workspace("dev") as never);
      for (const [verb, state] of [["stop", "Stopped"], ["start", "Running"]] as const) {
        assert.equal((await cli.run(`workspace ${verb} dev --timeout 1ms`)).code, 1, "nobody carries it out here");
        assert.equal((await cli.store.get("Workspace", ref)).spec.state, state);
      }
    } finally {
      await cli.stop();
    }
  });
});

describe("shell", () => {
  for (const words of ["shell dev", "workspace connect dev", "ws shell dev", "shell dev --service web"]) {
    it(`says for '${words}' without a terminal what to do instead`, async () => {
      const cli = await cliServer();
      try {
        const { code, stdout, stderr } = await cli.run(words);
        assert.deepEqual([code, stdout], [1, ""]);
        assert.equal(stderr, `error: Cannot open a shell: the input is no terminal. In a script, run a command: vendetta exec ${words.includes("web") ? "service/web" : "dev"} -- sh -c 'COMMAND'\n`);
      } finally {
        await cli.stop();
      }
    });
  }
});
