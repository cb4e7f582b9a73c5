import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { AccessError, type EnrolWish, type KeptThere, type MachineAccess, type Withdrawal } from "../../src/access/access.ts";
import type { Node } from "../../src/api/node.ts";
import type { SshReach } from "../../src/api/ssh-reach.ts";
import { cliServer, type CliServer } from "./cli-harness.ts";
import { workspace } from "./server-harness.ts";

const line = (fill: number) => `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from("ssh-ed25519"), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, fill)]).toString("base64")}`;
const reach = (host: string, more: object = {}): SshReach => ({ host, port: 22, user: "dev", hostKeys: [line(1)], ...more });

/** Machines as the command line sees them; what is done to them is noted. */
function fakeAccess(overrides: Partial<MachineAccess> = {}): { readonly access: MachineAccess; readonly done: string[] } {
  const done: string[] = [];
  const access: MachineAccess = {
    resolve: (target, { jump } = {}) => Promise.resolve({ alias: target, host: target, port: 22, user: "dev", identityFiles: [], ...(jump === undefined ? {} : { jump: { alias: jump, host: jump, port: 22, user: "dev", identityFiles: [] } }) }),
    enrol(machine, wish: EnrolWish) {
      done.push(`enrol ${machine.host}${wish.known === undefined ? "" : " again"}`);
      wish.onStep({ name: "login", state: "done", text: "in" });
      const way = reach(machine.host, machine.jump === undefined ? {} : { jump: { host: machine.jump.host, port: 22, user: "dev", hostKeys: [line(2)] } });
      return Promise.resolve({ way, changed: true, undo: () => Promise.resolve(void done.push("undo")), close: () => Promise.resolve(void done.push("close")) });
    },
    open(way) {
      done.push(`open ${way.host}`);
      return Promise.resolve({
        kept: () => Promise.resolve({ paths: [], more: 0 }),
        withdraw: (jumpToo): Promise<readonly Withdrawal[]> => Promise.resolve(void done.push(`withdraw ${way.host}${way.jump !== undefined && jumpToo(way.jump) ? ` and ${way.jump.host}` : ""}`)).then(() => [{ where: `dev@${way.host}`, removed: true }]),
        close: () => Promise.resolve(),
      });
    },
    trust: (way) => Promise.resolve({ way: { ...way, hostKeys: [line(9)] }, changes: [{ where: "dev@box", before: ["old"], now: "new" }] }),
    ...overrides,
  };
  return { access, done };
}

let cli: CliServer;
beforeEach(async () => {
  cli = await cliServer();
});
afterEach(() => cli.stop());

const nodeOf = (name: string, spec: object) => cli.store.create("Node", { apiVersion: "vendetta.dev/v1alpha1", kind: "Node", metadata: { name }, spec } as unknown as Node);
const say = async (name: string, status: "True" | "Unknown", reason = "Probed", message = "") => {
  const node = await cli.store.get("Node", { name });
  await cli.store.updateStatus("Node", { ...node, status: { observedGeneration: node.metadata.generation, conditions: [{ type: "Ready", status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" }] } });
};
const place = async (name: string, nodeName: string, metadata: object = {}, spec: object = {}) => {
  const made = await cli.store.create("Workspace", workspace(name, spec, metadata) as never);
  return await cli.store.updateStatus("Workspace", { ...made, status: { nodeName, instanceId: `vendetta-${name}`, phase: "Running", observedGeneration: made.metadata.generation } });
};
const exists = async (kind: "Node" | "Workspace", name: string) => (await cli.store.list(kind)).items.some((each) => each.metadata.name === name);

describe("node add", () => {
  it("stores what the machine came to, named after what was typed", async () => {
    const { access, done } = fakeAccess();
    const { stdout, stderr, code } = await cli.run("node add box --jump gate --timeout 0", { access });
    // No loop runs here: that it is not Ready is told, and the Node is there.
    assert.deepEqual([code, stdout, done], [1, "node.vendetta.dev/box created\n", ["enrol box", "close"]]);
    assert.match(stderr, /✓ login {11}in\n/);
    assert.deepEqual((await cli.store.get("Node", { name: "box" })).spec.ssh, { ...reach("box"), jump: { host: "gate", port: 22, user: "dev", hostKeys: [line(2)] } });
  });
  it("takes the key away again when the Node cannot be stored", async () => {
    const { access, done } = fakeAccess();
    const meanwhile: MachineAccess = { ...access, enrol: async (machine, wish) => (await nodeOf("box", { ssh: reach("elsewhere") }), await access.enrol(machine, wish)) };
    const { code, stdout, stderr } = await cli.run("node add box", { access: meanwhile });
    assert.deepEqual([code, stdout, done], [1, "", ["enrol box", "undo", "close"]]);
    assert.match(stderr, /"box" was made meanwhile/);
  });
  it("touches no machine for what the server would refuse", async () => {
    for (const [args, says] of [
      [["--name", "Not A Name"], /metadata\.name: "Not A Name" must consist/],
      [["--label", "a b=c"], /metadata\.labels/],
      [["--label", "a=b c"], /metadata\.labels\.a: "b c"/],
      [["--label", "vendetta.dev/local=true"], /--label: metadata\.labels\["vendetta\.dev\/local"\] is only for the server's own machine/],
    ] as const) {
      const { access, done } = fakeAccess();
      const { code, stdout, stderr } = await cli.run(["node", "add", "box", ...args], { access });
      assert.deepEqual([code, stdout, done], [1, "", []]);
      assert.match(stderr, says);
    }
  });
  it("changes nothing the second time, and asks only whether the key still lets in", async () => {
    const { metadata } = await nodeOf("mine", { ssh: reach("box") });
    const { access, done } = fakeAccess();
    assert.deepEqual(await cli.run("node add box", { access }), { code: 0, stdout: "node.vendetta.dev/mine unchanged\n", stderr: "" });
    assert.deepEqual([done, (await cli.store.get("Node", { name: "mine" })).metadata.resourceVersion], [["open box"], metadata.resourceVersion]);
    for (const [args, why] of [["--name other", /is Node "mine" already/], ["--jump gate", /not reached through dev@gate/]] as const) assert.match((await cli.run(`node add box ${args}`, { access })).stderr, why);
  });
  it("puts a missing key back, but stops at another host key", async () => {
    await nodeOf("mine", { ssh: reach("box") });
    const lost = fakeAccess({ open: () => Promise.reject(new AccessError("not let in", { failure: "LoginRefused" })) });
    assert.equal((await cli.run("node add box", { access: lost.access })).stdout, "node.vendetta.dev/mine unchanged, its key was put back\n");
    assert.deepEqual(lost.done, ["enrol box again", "close"]);
    await nodeOf("other", { ssh: reach("docked"), providers: { docker: { socketPath: "/srv/docker.sock" } } });
    let asked: string | undefined;
    await cli.run("node add docked", { access: { ...lost.access, enrol: (machine, wish) => ((asked = wish.dockerSocketPath), lost.access.enrol(machine, wish)) } });
    assert.equal(asked, "/srv/docker.sock", "its engine is asked where it is on record");
    const changed = fakeAccess({ open: () => Promise.reject(new AccessError("another key", { failure: "HostKeyRefused" })) });
    const { code, stderr } = await cli.run("node add box", { access: changed.access });
    assert.deepEqual([code, changed.done], [1, []]);
    assert.match(stderr, /another key.*'vendetta node trust mine'/);
  });
  it("gives no machine the name of another", async () => {
    await nodeOf("box", { ssh: reach("elsewhere") });
    const { access, done } = fakeAccess();
    assert.match((await cli.run("node add box", { access })).stderr, /"box" already, and it is another machine \(dev@elsewhere\); give this one another name with --name/);
    assert.deepEqual(done, []);
  });
  it("gives it labels and an engine's socket, and changes neither afterwards", async () => {
    const { access } = fakeAccess({ enrol: (machine, { dockerSocketPath }) => Promise.resolve({ way: reach(machine.host), dockerSocketPath, changed: true, undo: () => Promise.resolve(), close: () => Promise.resolve() }) });
    await cli.run("node add box --label place=far --label a= --docker-socket /srv/docker.sock --timeout 0", { access });
    const made = await cli.store.get("Node", { name: "box" });
    assert.deepEqual([made.metadata.labels, made.spec.providers.docker?.socketPath], [{ place: "far", a: "" }, "/srv/docker.sock"]);
    assert.deepEqual(await cli.run("node add box --label place=far --docker-socket /srv/docker.sock", { access }).then(({ code, stdout }) => ({ code, stdout })), { code: 0, stdout: "node.vendetta.dev/box unchanged\n" });
    for (const [args, says] of [["--label place=near", /its label place is far; to change that: vendetta label node box 'place=near' --overwrite$/m], ["--docker-socket /other", /asked at \/srv\/docker\.sock; to change that/], ["--label place", /"place" is not KEY=VALUE/]] as const) {
      const { code, stderr } = await cli.run(`node add box ${args}`, { access });
      assert.equal(code, 1);
      assert.match(stderr, says);
    }
    assert.deepEqual(await cli.store.get("Node", { name: "box" }), made);
  });
});

describe("node status", () => {
  it("is of one by its name, and of all without", async () => {
    const none = await cli.run("node status");
    assert.deepEqual([none.code, none.stdout], [0, ""]);
    assert.match(none.stderr, /There are no Nodes; 'vendetta node add/);
    await nodeOf("here", { local: {} });
    await nodeOf("far", { ssh: reach("far") });
    await place("dev", "far");
    const names = async (words: string) => {
      const { code, stdout } = await cli.run(words);
      return [code, [...stdout.matchAll(/^Name: +(.*)$/gm)].map(([, name]) => name), [...stdout.matchAll(/^ *dev .*(vendetta-dev)/gm)].length];
    };
    assert.deepEqual(await names("node status here"), [0, ["here"], 0]);
    assert.deepEqual(await names("node status"), [0, ["far", "here"], 1]);
    assert.equal((await cli.run("node status none")).code, 1);
  });
});

describe("node remove", () => {
  it("refuses while Workspaces are there, and names them", async () => {
    await nodeOf("box", { ssh: reach("box") });
    await place("dev", "box");
    const { access, done } = fakeAccess();
    const { code, stderr } = await cli.run("node remove box", { access });
    assert.deepEqual([code, done], [1, []]);
    assert.match(stderr, /has a Workspace: dev; delete it first/);
  });
  it("refuses while instances are there that nobody would clean up any more", async () => {
    const node = await nodeOf("box", { ssh: reach("box") });
    await cli.store.updateStatus("Node", { ...node, status: { orphans: [{ provider: "docker", instanceId: "vendetta-x", workspace: "default/gone", firstSeenTime: "2026-01-01T00:00:00Z" }] } });
    assert.match((await cli.run("node remove box", { access: fakeAccess().access })).stderr, /an instance that no Workspace owns: vendetta-x; it is removed half a minute/);
    assert.equal(await exists("Node", "box"), true);
  });
  it("tells what stays on the machine, and where", async () => {
    const { access } = fakeAccess();
    const removed = async (kept: () => Promise<KeptThere>) => {
      await nodeOf("box", { ssh: reach("box") });
      await cli.store.updateStatus("Node", { ...(await cli.store.get("Node", { name: "box" })), status: { providers: [{ name: "docker", usable: true }] } });
      const { code, stderr } = await cli.run("node remove box", { access: { ...access, open: async (way, signal) => ({ ...(await access.open(way, signal)), kept }) } });
      assert.equal(code, 0, stderr);
      return stderr;
    };
    assert.match(await removed(() => Promise.resolve({ paths: ["/home/dev/work/a"], more: 2 })), /^Kept on dev@box, until you remove it there:\n {2}\/home\/dev\/work\/a\n {2}… and 2 more\nTook the cluster's key away from dev@box\.\nVolumes .*docker volume ls --filter label=vendetta\.dev\/cluster=[0-9a-f]{12}\n$/);
    assert.match(await removed(() => Promise.reject(new AccessError("no session"))), /^What Workspaces have left on dev@box, .*no session\nTook the cluster's key/);
  });
  it("deletes the Node and takes the key away, unless another needs it", async () => {
    const jump = { host: "gate", port: 22, user: "dev", hostKeys: [line(2)] };
    for (const name of ["one", "two"]) await nodeOf(name, { ssh: reach(name, { jump }) });
    const { access, done } = fakeAccess();
    assert.match((await cli.run("node remove one", { access })).stderr, /It stays on dev@gate: Node "two" needs it/);
    assert.equal((await cli.run("node remove two", { access })).code, 0);
    assert.deepEqual(done, ["open one", "withdraw one", "open two", "withdraw two and gate"]);
    await nodeOf("gate", { ssh: reach("gate") });
    await nodeOf("far", { ssh: reach("far", { jump }) });
    assert.match((await cli.run("node remove gate", { access })).stderr, /stays on dev@gate: Node "far" needs it/);
    assert.deepEqual(await cli.run("node remove far --keep-key", { access }), { code: 0, stdout: 'node.vendetta.dev "far" deleted\n', stderr: "What Workspaces have left there, if anything, is in ~/.local/share/vendetta of dev@far.\n" });
    assert.deepEqual(done.slice(4), ["open gate"]);
    const outer = { ...jump, host: "outer" };
    await nodeOf("deep", { ssh: reach("deep", { jump: { ...jump, host: "inner", jump: outer } }) });
    await nodeOf("outer", { ssh: reach("outer") });
    assert.match((await cli.run("node remove outer", { access })).stderr, /stays on dev@outer: Node "deep" needs it/);
    assert.match((await cli.run("node add deep --jump outer", { access })).stderr, /is dev@deep through dev@outer,dev@inner, and not reached through dev@outer/);
  });
  it("changes nothing when the machine cannot be reached, and says what can be done", async () => {
    await nodeOf("box", { ssh: reach("box") });
    const { access } = fakeAccess({ open: () => Promise.reject(new AccessError("no route", { failure: "Unreachable" })) });
    const { code, stderr } = await cli.run("node remove box", { access });
    assert.deepEqual([code, await exists("Node", "box")], [1, true]);
    assert.match(stderr, /no route; nothing was changed.*--keep-key.*'vendetta node forget box'/);
  });
});

describe("node forget", () => {
  beforeEach(async () => {
    await nodeOf("box", { ssh: reach("box") });
    await cli.store.patch("Node", { name: "box" }, { type: "merge", patch: { metadata: { finalizers: ["vendetta.dev/node"] } } });
    await place("dev", "box", { finalizers: ["vendetta.dev/workspace"] }, { mounts: [{ path: "/data", volume: "data" }, { path: "/tmp", tmpfs: {} }] });
    await place("theirs", "box", { finalizers: ["vendetta.dev/workspace", "example.com/backup"] });
    await place("elsewhere", "vm");
    await say("box", "Unknown", "Unreachable", "no answer for 120 s");
  });
  it("asks, or needs to be told, and lists what may be left behind", async () => {
    const { code, stderr } = await cli.run("node forget box");
    assert.deepEqual([code, await exists("Node", "box"), await exists("Workspace", "dev")], [1, true, true]);
    assert.match(stderr, /^ {2}INSTANCE +ENGINE +WORKSPACE +VOLUMES\n {2}vendetta-dev +docker +dev +data\n {2}vendetta-theirs +docker +theirs +<none>\n/m);
    for (const word of ["no answer for 120 s", "authorized_keys of dev@box", "--yes"]) assert.ok(stderr.includes(word), stderr);
  });
  it("lets go of the Node and its Workspaces, and of nobody else's finalizers", async () => {
    assert.deepEqual(await cli.run("node forget box --yes").then(({ code, stdout }) => ({ code, stdout })), { code: 0, stdout: 'node.vendetta.dev "box" forgotten, with 2 Workspaces\n' });
    assert.deepEqual([await exists("Node", "box"), await exists("Workspace", "dev"), await exists("Workspace", "elsewhere")], [false, false, true]);
    assert.deepEqual((await cli.store.get("Workspace", { namespace: "default", name: "theirs" })).metadata.finalizers, ["example.com/backup"]);
  });
  it("leaves to its loop what asks to be made anew elsewhere, and tells what was left there before", async () => {
    await cli.store.patch("Workspace", { namespace: "default", name: "dev" }, { type: "merge", patch: { spec: { failover: {} } } });
    const moved = await cli.store.get("Workspace", { namespace: "default", name: "elsewhere" });
    await cli.store.updateStatus("Workspace", { ...moved, status: { ...moved.status, leftBehind: [{ nodeName: "box", instanceId: "vendetta-elsewhere", since: "2026-01-01T00:00:00Z" }] } });
    assert.match((await cli.run("node remove box --keep-key")).stderr, /Node "box" has 2 Workspaces/);
    const { stdout, stderr } = await cli.run("node forget box --yes");
    assert.equal(stdout, 'node.vendetta.dev "box" forgotten, with a Workspace\n');
    assert.match(stderr, /^ {2}vendetta-elsewhere +\S+ +elsewhere /m);
    assert.match(stderr, /Made anew on other Nodes, as spec.failover asks: dev/);
    assert.deepEqual([await exists("Workspace", "dev"), await exists("Node", "box")], [true, false]);
  });
  it("refuses for a machine that answers, and for this one", async () => {
    await say("box", "True");
    assert.match((await cli.run("node forget box --yes")).stderr, /answers: remove it properly/);
    await nodeOf("vm", { local: {} });
    assert.match((await cli.run("node forget vm --yes")).stderr, /is this machine/);
  });
});

describe("node trust, cordon and drain", () => {
  it("pins what was accepted, and changes nothing else of the way", async () => {
    const before = await nodeOf("box", { ssh: reach("box", { identityFile: "/key" }), unschedulable: true });
    const { access } = fakeAccess();
    assert.deepEqual(await cli.run("node trust box", { access }), { code: 0, stdout: "node.vendetta.dev/box trusted\n", stderr: "dev@box\n  old: old\n  new: new\n" });
    assert.deepEqual((await cli.store.get("Node", { name: "box" })).spec, { ...before.spec, ssh: { ...before.spec.ssh, hostKeys: [line(9)] } });
    await nodeOf("vm", { local: {} });
    assert.match((await cli.run("node trust vm", { access })).stderr, /is this machine/);
  });
  it("overrules nobody who changed the way meanwhile", async () => {
    await nodeOf("box", { ssh: reach("box") });
    const { access } = fakeAccess({
      async trust(way) {
        await cli.store.patch("Node", { name: "box" }, { type: "merge", patch: { spec: { ssh: { hostKeys: [line(5)] } } } });
        return { way: { ...way, hostKeys: [line(9)] }, changes: [{ where: "dev@box", before: ["old"], now: "new" }] };
      },
    });
    assert.match((await cli.run("node trust box", { access })).stderr, /changed by somebody else meanwhile/);
    assert.deepEqual((await cli.store.get("Node", { name: "box" })).spec.ssh?.hostKeys, [line(5)]);
  });
  it("cordons and uncordons, and says when there is nothing to do", async () => {
    await nodeOf("a", { local: {} });
    await nodeOf("b", { ssh: reach("b"), unschedulable: true });
    assert.equal((await cli.run("node cordon a b")).stdout, "node.vendetta.dev/a cordoned\nnode.vendetta.dev/b already cordoned\n");
    assert.equal((await cli.run("node uncordon a")).stdout, "node.vendetta.dev/a uncordoned\n");
    assert.equal((await cli.store.get("Node", { name: "a" })).spec.unschedulable, false);
  });
  it("drains: what runs there is to stop, what is stopped is left, and what does not stop in time is told", async () => {
    await nodeOf("box", { local: {} });
    await place("dev", "box");
    await place("off", "box");
    await cli.store.patch("Workspace", { namespace: "default", name: "off" }, { type: "merge", patch: { spec: { state: "Stopped" } } });
    await place("elsewhere", "vm");
    const { code, stdout, stderr } = await cli.run("node drain box --timeout 0");
    assert.deepEqual([code, stdout], [1, "node.vendetta.dev/box cordoned\n"]);
    assert.match(stderr, /Node "box" is not drained after 0 s, 1 of 1 Workspaces are not stopped or moved:\n {2}workspace\/dev: Running\nThe drain goes on by itself/);
    const { unschedulable, drain } = (await cli.store.get("Node", { name: "box" })).spec;
    assert.deepEqual([unschedulable, drain], [true, { move: "WhereAllowed" }]);
    // The loops stop it: the wish for the Workspace itself is as it was.
    assert.equal((await cli.store.get("Workspace", { namespace: "default", name: "dev" })).spec.state, "Running");
    assert.equal((await cli.run("node uncordon box")).stdout, "node.vendetta.dev/box uncordoned\n");
    assert.equal((await cli.store.get("Node", { name: "box" })).spec.drain, undefined);
  });
  it("says of what a drain stopped whether it could be made anew elsewhere", async () => {
    await nodeOf("box", { local: {} });
    const stopped = await place("dev", "box");
    const conditions = [{ type: "Ready", status: "False", reason: "NodeDrained", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }] as const;
    await cli.store.updateStatus("Workspace", { ...stopped, status: { ...stopped.status, phase: "Stopped", conditions: [...conditions] } });
    const rest = async () => (await cli.run("node drain box")).stderr.split("\n").filter((line) => line.includes("other Node"));
    assert.deepEqual(await rest(), ["No other Node could take dev now: there is no other."]);
    await nodeOf("spare", { ssh: reach("spare") });
    await say("spare", "True");
    assert.match((await rest()).join(), /^No other Node could take dev now: no Node fits: spare: provider docker is not usable/);
    const spare = await cli.store.get("Node", { name: "spare" });
    await cli.store.updateStatus("Node", { ...spare, status: { ...spare.status, providers: [{ name: "docker", usable: true }], capacity: { memory: "4Gi" } } });
    assert.match((await rest()).join(), /^dev may run on other Nodes: 'vendetta node drain box --move' makes it anew there/);
    await cli.run("node cordon spare");
    assert.deepEqual(await rest(), ["No other Node could take dev now: no Node fits: spare: is cordoned."]);
    await cli.run("node uncordon spare");
    const taint = (taints: object[]) => cli.store.patch("Node", { name: "spare" }, { type: "merge", patch: { spec: { taints } } });
    await taint([{ key: "gpu", effect: "NoSchedule" }]);
    assert.match((await rest()).join(), /spare: has the taint gpu:NoSchedule, which is not tolerated\.$/);
    await taint([]);
    const another = await place("another", "box");
    await cli.store.updateStatus("Workspace", { ...another, status: { ...another.status, phase: "Stopped", conditions: [...conditions] } });
    for (const name of ["another", "dev"]) await cli.store.patch("Workspace", { namespace: "default", name }, { type: "merge", patch: { spec: { resources: { memory: "3Gi" } } } });
    assert.deepEqual((await rest()).map((line) => line.slice(0, 120)), [
      "No other Node could take dev now: no Node fits: spare: not enough memory (3Gi asked for, 1024Mi of 4Gi left).",
      "another may run on other Nodes: 'vendetta node drain box --move' makes it anew there, without what is on the disk here.",
    ], "there is room for one of the two");
  });
  it("drains with --move only once it is agreed that disks are lost", async () => {
    await nodeOf("box", { local: {} });
    await place("dev", "box");
    const { code, stdout, stderr } = await cli.run("node drain box --move");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /Moved to other Nodes: dev\. What is only on its disk is lost.*\n.*--yes/);
    assert.equal((await cli.store.get("Node", { name: "box" })).spec.drain, undefined);
    assert.equal((await cli.run("node drain box --move --yes --timeout 0")).stdout, "node.vendetta.dev/box cordoned\n");
    assert.deepEqual((await cli.store.get("Node", { name: "box" })).spec.drain, { move: "Any" });
  });
});

describe("cluster status", () => {
  it("ends with 1 for --check when something is wrong, and prints JSON", async () => {
    assert.deepEqual(await cli.run("cluster status --check"), { code: 0, stdout: "All is as wished.\n", stderr: "" });
    await nodeOf("box", { ssh: reach("box") });
    await say("box", "Unknown", "Unreachable", "gone");
    const { code, stdout } = await cli.run("cluster status --check -o json");
    const view = JSON.parse(stdout);
    assert.deepEqual([code, view.healthy, view.problems], [1, false, [{ kind: "Node", namespace: null, name: "box", state: "Unreachable", message: "gone; it is tried again and again; if the machine is gone for good, 'vendetta node forget box'" }]]);
    assert.match((await cli.run("cluster status -o yaml")).stderr, /it is json, or left out/);
  });
  it("goes on with each change for --watch", async () => {
    const over = new AbortController();
    let changed = false;
    const run = cli.run("cluster status --watch -o json", {
      signal: over.signal,
      onOutput(stdout) {
        const views = stdout.trim().split("\n");
        if (!changed) {
          changed = true;
          void nodeOf("box", { ssh: reach("box") });
        }
        if (views.length === 2) over.abort(new Error("seen"));
      },
    });
    const views = (await run).stdout.trim().split("\n").map((text) => JSON.parse(text));
    assert.deepEqual(views.map((view) => view.nodes.length), [0, 1]);
  });
});
