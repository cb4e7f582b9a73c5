// Test run: about 120 s.
// Test run: beside all others, since it waits for connections to be cut, and made again, most of the time.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import Docker from "dockerode";
import { restartedAtAnnotation } from "../../src/api/annotations.ts";
import type { Node } from "../../src/api/node.ts";
import type { Service } from "../../src/api/service.ts";
import type { Workspace } from "../../src/api/workspace.ts";
import { homePaths } from "../../src/base/home.ts";
import { systemClock } from "../../src/base/system.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { dockerUnavailable, startDockerd, type TestDockerd } from "../harness/docker.ts";
import { startEngineGate, type EngineGate, type EngineMoment } from "../harness/engine-gate.ts";
import { eventually } from "../harness/eventually.ts";
import { sshNode } from "../harness/ssh-node.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../harness/sshd.ts";
import { startTcpProxy, type ProxyDirection, type TcpProxy } from "../harness/tcp-proxy.ts";
import { writeManifests } from "./stack.ts";

const why = sshdUnavailable() ?? dockerUnavailable();
const api = "vendetta.dev/v1alpha1";

/** How often what runs on the machine has said that it begins, and that it was told to end. */
interface Marks {
  readonly runs: number;
  readonly stops: number;
  readonly execs: number;
}

/** Appends to files of $MARKS: one line as it begins, one as it is told to end. */
const marker = 'echo x >> "$MARKS/runs"; trap \'echo x >> "$MARKS/stops"; exit 0\' TERM; while :; do sleep 0.1; done';
const execMarker = 'echo x >> "$MARKS/execs"; exec sleep 4711';

describe("connections to a Node that are cut in the middle of something", { timeout: 540_000, skip: why ?? false }, () => {
  let cli: TestCli;
  let store: HttpStore;
  let engine: TestDockerd;
  let docker: Docker;
  let gate: EngineGate;
  let sshd: TestSshd;
  let proxy: TcpProxy;
  let home: string;
  const engineSaid: string[] = [];
  let engineEnds: () => void;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "vd-there-"));
    engine = await startDockerd();
    await engine.importBusybox("busybox:test");
    docker = new Docker({ socketPath: engine.socketPath });
    gate = await startEngineGate(engine.socketPath);
    sshd = await startSshd({ home });
    proxy = await startTcpProxy(sshd.port);
    engineEnds = await follow(docker, (line) => engineSaid.push(line));
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    await cli.ok("apply", "-f", writeManifests(cli.home, "far.yaml", [sshNode("far", sshd, { port: proxy.port, socketPath: gate.socketPath })]), "--wait");
    store = createHttpStore({ socketPath: homePaths(cli.env).socketPath, clock: systemClock, userAgent: "test" });
  });
  after(async () => {
    if (proxy !== undefined) proxy.onPiece = undefined;
    await cli?.run(["delete", "workspaces,services", "--all"]);
    await store?.close();
    await cli?.dispose();
    await proxy?.close();
    await gate?.close();
    engineEnds?.();
    await Promise.all([engine?.stop(), sshd?.stop()]);
    rmSync(home, { recursive: true, force: true });
  });

  /** Ways in which a connection is lost. */
  const losses = [
    { name: "both ends are told", lose: () => proxy.cut() },
    { name: "only our end is told", lose: () => proxy.abandon() },
    { name: "its sshd is killed", lose: () => sshd.connections().forEach(kill) },
  ];

  const marksDir = (name: string) => join(home, "marks", name);
  const marksOf = (name: string): Marks => {
    const lines = (file: string) => (existsSync(join(marksDir(name), file)) ? readFileSync(join(marksDir(name), file), "utf8").length / 2 : 0);
    return { runs: lines("runs"), stops: lines("stops"), execs: lines("execs") };
  };
  const manifests = (name: string, provider: "docker" | "host"): object[] => {
    mkdirSync(marksDir(name), { recursive: true });
    const inside = provider === "docker" ? { image: "busybox:test", mounts: [{ path: "/marks", hostPath: marksDir(name) }], env: { MARKS: "/marks" } } : { env: { MARKS: marksDir(name) } };
    return [
      { apiVersion: api, kind: "Workspace", metadata: { name, namespace: "default" }, spec: { provider, nodeName: "far", ...inside } },
      { apiVersion: api, kind: "Service", metadata: { name, namespace: "default" }, spec: { workspace: name, command: ["sh", "-c", marker] } },
    ];
  };
  const ref = (name: string) => ({ namespace: "default", name });
  const create = async (name: string, provider: "docker" | "host") => {
    const [workspace, service] = manifests(name, provider);
    await store.create("Workspace", workspace as never);
    await store.create("Service", service as never);
  };
  const merge = (kind: "Workspace" | "Service", name: string, patch: object) => store.patch(kind, ref(name), { type: "merge", patch } as never);
  const ready = (object: Node | Workspace | Service) => object.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  const settled = (name: string, marks: Marks, state: "Running" | "Stopped" = "Running") =>
    eventually(async () => {
      const [workspace, service] = await Promise.all([store.get("Workspace", ref(name)), store.get("Service", ref(name))]);
      const told = JSON.stringify([workspace.status, service.status]);
      assert.equal(ready(await store.get("Node", { name: "far" })), "True");
      if (state === "Running") assert.deepEqual([workspace.status?.phase, ready(workspace), ready(service), workspace.status?.observedGeneration === workspace.metadata.generation], ["Running", "True", "True", true], told);
      else assert.equal(workspace.status?.phase, "Stopped", told);
      assert.deepEqual(marksOf(name), marks, told);
    }, 40_000);
  /** How often the engine has said that it made, started and saw the end of a Workspace's container. */
  const engineEvents = async (name: string) => {
    const { status } = await store.get("Workspace", ref(name));
    const counted = (action: string) => engineSaid.filter((each) => each === `${action} ${status!.instanceId!}`).length;
    return { create: counted("create"), start: counted("start"), die: counted("die") };
  };
  /** What runs in a container, besides what watches over it. */
  const inContainer = async (name: string) => {
    const { status } = await store.get("Workspace", ref(name));
    const { Processes } = (await docker.getContainer(status!.instanceId!).top({ ps_args: "-eo pid,args" })) as { Processes: string[][] };
    return Processes.map((each) => each[1]!);
  };
  /** What runs on the machine as its user. */
  const processes = () =>
    readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
        if (!environment.includes(`HOME=${home}`)) return [];
        return [{ pid: Number(pid), environment, command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }];
      } catch {
        return []; // It ended while we looked.
      }
    });
  const instancesDir = () => {
    const [cluster] = readdirSync(join(home, ".local/share/vendetta"));
    return join(home, ".local/share/vendetta", cluster!, "instances");
  };
  const exec = async (name: string) => {
    try {
      const command = await store.exec("Workspace", ref(name), { argv: ["sh", "-c", execMarker], stdin: false, terminal: false });
      command.stdout.resume();
      command.stderr.resume();
      return await command.exit;
    } catch (error) {
      return (error as Error).message;
    }
  };

  describe("in a container, at a moment that its engine sees", () => {
    const moments: readonly EngineMoment[] = ["before", "during", "after"];
    const request = (method: string, path: RegExp) => (text: string) => text.startsWith(`${method} `) && path.test(text.slice(0, text.indexOf(" HTTP/")));
    const stream = (words: RegExp) => (text: string) => words.test(text);
    /** The command is told of in one request, and begun by another. */
    const execOf = () => {
      let isTold = false;
      return (text: string) => {
        if (isTold) return /^POST \/exec\/[^/ ]+\/start/.test(text);
        isTold = text.includes("sleep 4711");
        return false;
      };
    };
    const restart = (name: string, count: number) => merge("Service", name, { metadata: { annotations: { [restartedAtAnnotation]: String(count) } } });

    for (const [at, moment] of moments.entries()) {
      const name = `dock-${moment}`;
      let marks: Marks = { runs: 0, stops: 0, execs: 0 };
      const steps = [
        { what: "create", matches: request("POST", /\/containers\/create/), act: () => create(name, "docker"), adds: { runs: 1 } },
        { what: "the start of a service", matches: stream(/^v_start /m), act: () => restart(name, 1), adds: { runs: 1, stops: 1 } },
        { what: "the stop of a service", matches: stream(/^v_signal .* TERM/m), act: () => restart(name, 2), adds: { runs: 1, stops: 1 } },
        { what: "stop", matches: request("POST", /\/containers\/[^/]+\/stop/), act: () => merge("Workspace", name, { spec: { state: "Stopped" } }), adds: { stops: 1 }, state: "Stopped" as const },
        { what: "start", matches: request("POST", /\/containers\/[^/]+\/start/), act: () => merge("Workspace", name, { spec: { state: "Running" } }), adds: { runs: 1 } },
      ];
      for (const [i, { what, matches, act, adds, state }] of steps.entries()) {
        const loss = losses[(at + i) % losses.length]!;
        it(`${moment} ${what}: ${loss.name}`, async () => {
          const sprung = gate.set({ moment, matches, act: loss.lose });
          await act();
          await sprung;
          marks = { runs: marks.runs + (adds.runs ?? 0), stops: marks.stops + (adds.stops ?? 0), execs: 0 };
          await settled(name, marks, state);
          const starts = what === "start" ? 2 : 1;
          await eventually(async () => assert.deepEqual(await engineEvents(name), { create: 1, start: starts, die: what === "stop" || what === "start" ? 1 : 0 }), 5000);
          if (state !== "Stopped") await eventually(async () => assert.equal((await inContainer(name)).filter((each) => each.includes("MARKS/runs")).length, 1), 10_000);
        });
      }
      const loss = losses[(at + 2) % losses.length]!;
      it(`${moment} exec: ${loss.name}`, async () => {
        const sprung = gate.set({ moment, matches: execOf(), act: loss.lose });
        const told = exec(name);
        await sprung;
        assert.match(String(await told), /connection|broke|lost|does not tell|hang up/);
        await settled(name, { ...marks, execs: moment === "before" ? 0 : 1 });
        await eventually(async () => assert.deepEqual((await inContainer(name)).filter((each) => each.includes("4711")), []), 15_000);
      });
      it(`${moment} removal: ${loss.name}`, async () => {
        const { status } = await store.get("Workspace", ref(name));
        const sprung = gate.set({ moment, matches: request("DELETE", /\/containers\//), act: loss.lose });
        await store.delete("Workspace", ref(name));
        await store.delete("Service", ref(name));
        await sprung;
        await eventually(async () => assert.deepEqual((await store.list("Workspace")).items.concat((await store.list("Service")).items as never).map(({ metadata }) => metadata.name), []), 40_000);
        await assert.rejects(docker.getContainer(status!.instanceId!).inspect(), { statusCode: 404 });
        assert.equal(marksOf(name).runs, marks.runs);
        assert.equal(marksOf(name).stops, marks.stops + 1);
        assert.equal(await cli.ok("get", "orphans"), "");
      });
    }
  });

  describe("of plain processes, after so many pieces have gone either way", () => {
    /** Before the first piece is handed on, and ever later: what a step says to the machine is some ten pieces, and its answers as many. */
    const cuts = ([["up", 0], ["down", 0], ["up", 1], ["down", 1], ["up", 2], ["down", 4], ["up", 8], ["down", 12]] as const).map(([direction, pieces]) => ({ direction, pieces }));

    /** Loses the connection as soon as so many pieces have gone that way since `act` was called. */
    const during = async (act: () => Promise<unknown>, { direction, pieces }: { readonly direction: ProxyDirection; readonly pieces: number }, lose: () => void) => {
      let left = pieces;
      const lost = new Promise<void>((resolve) => {
        proxy.onPiece = (way) => {
          if (way !== direction || left-- > 0) return;
          proxy.onPiece = undefined;
          lose();
          resolve();
        };
      });
      await act();
      await Promise.race([lost, new Promise((_resolve, reject) => setTimeout(() => reject(new Error(`${pieces} pieces did not go ${direction}`)), 60_000).unref())]);
    };
    const mine = (name: string) => processes().filter(({ environment }) => environment.some((each) => each.startsWith("VENDETTA_INSTANCE=") || each === `MARKS=${marksDir(name)}`)).map(({ command }) => command);
    const commandsOf = (name: string) => mine(name).filter((command) => /MARKS\/runs|sleep 4711/.test(command) && !command.includes("vendetta-supervise"));

    for (const [at, cut] of cuts.entries()) {
      const name = `plain-${cut.direction}-${cut.pieces}`;
      const loss = losses[at % losses.length]!;
      it(`${cut.pieces} ${cut.direction}: ${loss.name}`, async () => {
        let marks: Marks = { runs: 0, stops: 0, execs: 0 };
        const step = async (act: () => Promise<unknown>, adds: Partial<Marks>, state: "Running" | "Stopped" = "Running") => {
          await during(act, cut, loss.lose);
          marks = { runs: marks.runs + (adds.runs ?? 0), stops: marks.stops + (adds.stops ?? 0), execs: marks.execs + (adds.execs ?? 0) };
          await settled(name, marks, state);
          await eventually(() => assert.equal(commandsOf(name).length, state === "Running" ? 1 : 0, mine(name).join("\n")), 15_000);
        };
        await step(() => create(name, "host"), { runs: 1 });
        const { status } = await store.get("Workspace", ref(name));
        await step(() => merge("Service", name, { metadata: { annotations: { [restartedAtAnnotation]: "1" } } }), { runs: 1, stops: 1 });
        await step(() => merge("Workspace", name, { spec: { state: "Stopped" } }), { stops: 1 }, "Stopped");
        await step(() => merge("Workspace", name, { spec: { state: "Running" } }), { runs: 1 });
        assert.equal((await store.get("Workspace", ref(name))).status?.restarts, 0);
        await during(async () => {
          await store.delete("Workspace", ref(name));
          await store.delete("Service", ref(name));
        }, cut, loss.lose);
        await eventually(async () => assert.deepEqual([...(await store.list("Workspace")).items, ...(await store.list("Service")).items].map(({ metadata }) => metadata.name), []), 40_000);
        assert.deepEqual(marksOf(name), { ...marks, stops: marks.stops + 1 });
        assert.deepEqual(mine(name), []);
        assert.ok(!readdirSync(instancesDir()).includes(status!.instanceId!));
        assert.equal(await cli.ok("get", "orphans"), "");
      });
    }
    it("exec, after ever more pieces and once it has begun: it begins once or not at all, and nothing of it stays", async () => {
      const name = "plain-exec";
      await create(name, "host");
      await settled(name, { runs: 1, stops: 0, execs: 0 });
      let begun = 0;
      for (let i = 0; i <= 16; i++) {
        const before = marksOf(name).execs;
        let told: Promise<number | string> | undefined;
        // Not waited for: it lasts.
        const act = () => {
          told = exec(name);
          return Promise.resolve();
        };
        const { lose } = losses[i % losses.length]!;
        if (i < 14) await during(act, { direction: i % 2 === 0 ? "up" : "down", pieces: 2 * i }, lose);
        else {
          // The Node's status may not have told yet that the last connection was lost; a command is then refused, and has not begun.
          await eventually(async () => {
            await act();
            const refused = await Promise.race([told!, eventually(() => assert.equal(marksOf(name).execs, before + 1), 20_000, 5)]);
            assert.equal(refused, undefined);
          }, 40_000);
          lose();
        }
        // Where nothing had been begun it may be begun over the next connection, and then it lasts.
        const over = await Promise.race([told!.then(String), eventually(() => assert.ok(commandsOf(name).some((command) => command.startsWith("sleep 4711")) && marksOf(name).execs === before + 1), 30_000).then(() => "lasts")]);
        if (over === "lasts") lose();
        assert.match(String(await told), /connection|broke|lost|ended|closed|hung up|cannot be asked|cannot connect/);
        await eventually(() => assert.deepEqual(commandsOf(name).filter((command) => command.startsWith("sleep 4711")), []), 20_000);
        const added = marksOf(name).execs - before;
        assert.ok(added <= 1, `${added} commands began`);
        begun += added;
      }
      assert.ok(begun >= 3 && begun < 17, `${begun} of 17 had begun`);
      await settled(name, { runs: 1, stops: 0, execs: begun });
      await Promise.all([store.delete("Workspace", ref(name)), store.delete("Service", ref(name))]);
      await eventually(async () => assert.deepEqual((await store.list("Workspace")).items.filter(({ metadata }) => metadata.name === name), []), 40_000);
      assert.deepEqual(mine(name), []);
    });
  });

  it("sshd killed and restarted under load: every Workspace is there once, and every service ran once", async () => {
    const names = Array.from({ length: 6 }, (_, i) => ["docker", "host"][i % 2]!).map((provider, i) => ({ provider: provider as "docker" | "host", name: `load-${i}` }));
    const made = Promise.all(names.map(({ name, provider }) => create(name, provider)));
    for (let kills = 0; kills < 4; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 150 + 200 * kills));
      await sshd.kill();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await sshd.start();
    }
    await made;
    for (const { name } of names) await settled(name, { runs: 1, stops: 0, execs: 0 });
    for (const { name, provider } of names) if (provider === "docker") await eventually(async () => assert.deepEqual(await engineEvents(name), { create: 1, start: 1, die: 0 }), 5000);
    await Promise.all(names.map(async ({ name }) => Promise.all([store.delete("Workspace", ref(name)), store.delete("Service", ref(name))])));
    await sshd.kill();
    await sshd.start();
    await eventually(async () => assert.deepEqual((await store.list("Workspace")).items.filter(({ metadata }) => metadata.name.startsWith("load-")), []), 60_000);
    for (const { name } of names) assert.deepEqual(marksOf(name), { runs: 1, stops: 1, execs: 0 });
    assert.deepEqual(await docker.listContainers({ all: true }), []);
    assert.equal(await cli.ok("get", "orphans"), "");
  });
});

/** Tells "ACTION NAME" of each container that something happens to. Answers what ends that. */
async function follow(docker: Docker, tell: (line: string) => void): Promise<() => void> {
  const stream = (await docker.getEvents({ filters: { type: ["container"] } })) as NodeJS.ReadableStream & { destroy(): void };
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const { Action, Actor } of lines.map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: { name: string } } })) tell(`${Action} ${Actor.Attributes.name}`);
  });
  return () => stream.destroy();
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended with another that was killed before it.
  }
}
