import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { systemClock as clock } from "../../src/base/system.ts";
import { AccessError, type Step } from "../../src/access/access.ts";
import { probeMachine, type EngineProbe } from "../../src/access/machine-probe.ts";
import { createLocalTransport } from "../../src/transports/local.ts";
import type { RunResult, Transport } from "../../src/transports/transport.ts";

const none: EngineProbe = (_transport, socketPath) => Promise.resolve({ problem: `nothing at ${socketPath}` });

describe("probeMachine", () => {
  const local = createLocalTransport({ clock });
  after(() => local.close());
  const probe = async (transport: Transport, engine: EngineProbe = none, dockerSocketPath?: string) => {
    const steps: Step[] = [];
    const probed = await probeMachine(transport, clock, engine, { onStep: (step) => steps.push(step), dockerSocketPath }, new AbortController().signal);
    const told = Object.fromEntries(steps.filter((each) => each.state !== "running").map(({ name, state, text }) => [name, { state, text }]));
    return { probed, told };
  };
  /** A machine whose shell says this, about what it is asked. */
  const saying = (facts: Readonly<Record<string, string>>, code = 0): Transport => {
    const result: RunResult = { code, signal: undefined, stdout: Object.entries(facts).map(([key, value]) => `${key}=${value}\n`).join(""), stderr: code === 0 ? "" : "sh: not found", truncated: false };
    return { ...local, run: () => Promise.resolve(result) };
  };
  const good = { system: "Linux", machine: "x86_64", kernel: "6.1", uid: "1000", home: "/home/dev", shell: "/bin/fish", writable: "yes", free: String(50 * 2 ** 20) };
  const now = () => String(Math.floor(clock.now() / 1000));

  it("reads what a real shell says", async () => {
    const { told, probed } = await probe(local);
    assert.deepEqual(Object.keys(told), ["shell", "space", "clock", "docker"]);
    assert.match(told["shell"]!.text, / on Linux \S+ \S+$/);
    assert.match(told["space"]!.text, /^\d+\.\d GiB free in \//);
    assert.deepEqual([told["clock"], told["docker"]!.state, probed], [{ state: "done", text: "as this machine's" }, "remark", {}]);
  });
  it("finds an engine in its usual place, and one that a user runs", async () => {
    const at = (path: string): EngineProbe => (_transport, socketPath) => Promise.resolve(socketPath === path ? { version: "28.1" } : { problem: "none" });
    const usual = await probe(saying({ ...good, now: now() }), at("/var/run/docker.sock"));
    assert.deepEqual([usual.told["docker"], usual.probed], [{ state: "done", text: "28.1 at /var/run/docker.sock" }, {}]);
    assert.deepEqual((await probe(saying({ ...good, now: now() }), at("/run/user/1000/docker.sock"))).probed, { dockerSocketPath: "/run/user/1000/docker.sock" });
  });
  it("asks an engine whose socket is named there and nowhere else, and does not do without it", async () => {
    const only = "/srv/docker.sock";
    const at = (path: string): EngineProbe => (_transport, socketPath) => Promise.resolve(socketPath === path ? { version: "28.1" } : { problem: "none" });
    assert.deepEqual((await probe(saying({ ...good, now: now() }), at(only), only)).probed, { dockerSocketPath: only });
    await assert.rejects(probe(saying({ ...good, now: now() }), at("/var/run/docker.sock"), only), (error) => error instanceof AccessError && /no Docker engine answers at \/srv\/docker\.sock: none/.test(error.message));
  });
  it("only tells of the named engine of a Node that is there already", async () => {
    const steps: Step[] = [];
    await probeMachine(saying({ ...good, now: now() }), clock, none, { onStep: (step) => steps.push(step), dockerSocketPath: "/srv/docker.sock", engineMayBeMissing: true }, new AbortController().signal);
    assert.match(steps.at(-1)!.text, /not usable: nothing at \/srv\/docker\.sock/);
  });
  it("remarks on little space, on a clock that is off, and on an engine that cannot be asked", async () => {
    const { told } = await probe(saying({ ...good, free: "1000", now: String(Math.floor(clock.now() / 1000) - 3600) }), () => Promise.reject(new Error("permission denied")));
    assert.deepEqual([told["space"]!.state, told["clock"]!.state, told["docker"]!.state], ["remark", "remark", "remark"]);
    assert.match(told["clock"]!.text, /^3\d\d\d s behind this machine's/);
    assert.match(told["docker"]!.text, /permission denied.*provider host/);
  });
  const unfit: readonly (readonly [what: string, facts: Readonly<Record<string, string>>, code: number, why: RegExp])[] = [
    ["that runs something else", { ...good, system: "Darwin" }, 0, /runs Darwin; a Node needs Linux/],
    ["whose home cannot be written", { ...good, writable: "" }, 0, /nothing can be written to the home there \(\/home\/dev\)/],
    ["whose shell is none", {}, 127, /does not do what sh does \(exit code 127: sh: not found\)/],
  ];
  for (const [what, facts, code, why] of unfit) it(`refuses a machine ${what}`, () => assert.rejects(probe(saying(facts, code)), (error) => error instanceof AccessError && why.test(error.message)));
});
