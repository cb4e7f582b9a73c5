import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { timestamp } from "../../src/base/clock.ts";
import type { LogOptions } from "../../src/server/service-log.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { createPodStore } from "../../src/store/pod-store.ts";
import { service, workspace } from "../conformance/store/fixture.ts";
import { testApp } from "./server-harness.ts";

const clock = createVirtualClock();
const ago = (seconds: number) => timestamp(clock.now() - seconds * 1000);
const exit = (seconds: number) => ({ code: 1, reason: "Error", finishedAt: ago(seconds) });
const statuses: Readonly<Record<string, object | undefined>> = {
  new: undefined,
  runs: { phase: "Running", pid: 1, startedAt: ago(100) },
  again: { phase: "Running", pid: 1, startedAt: ago(100), restarts: 2, lastExit: exit(110) },
  crashes: { phase: "CrashLoopBackOff", startedAt: ago(60), restarts: 3, lastExit: exit(50) },
};

async function setup() {
  const base = createMemoryStore({ clock, random: seededRandom(1) });
  await base.create("Workspace", workspace("dev"));
  await base.updateStatus("Workspace", { ...(await base.get("Workspace", { namespace: "default", name: "dev" })), status: { phase: "Running", nodeName: "n1", startId: "1" } });
  for (const [name, status] of Object.entries(statuses)) {
    const made = await base.create("Service", service(name));
    if (status !== undefined) await base.updateStatus("Service", { ...made, status: status as never });
  }
  const asked: (LogOptions & { readonly name: string })[] = [];
  const { send } = testApp({
    store: createPodStore(base, clock), clock,
    logs: ({ name }, { signal: _, ...options }) => {
      asked.push({ name, ...options });
      return Promise.resolve(Readable.from([Buffer.from("one\n"), Buffer.from("two\n")]));
    },
  });
  return { asked, get: async (query: string) => {
    const response = await send("GET", `/api/v1/namespaces/default/pods/dev/log?${query}`);
    return { code: response.status, text: await response.text(), warning: response.headers.get("warning") };
  } };
}

/** Query; what is opened ("-": nothing); what is said. */
const table: readonly (readonly [query: string, opened: string, said: RegExp])[] = [
  ["container=runs", "runs", /^one\ntwo\n$/],
  ["container=runs&tailLines=5&follow=true", "runs follow tail 5", /^one\ntwo\n$/],
  ["container=runs&limitBytes=5", "runs", /^one\nt$/],
  ["container=runs&limitBytes=0", "-", /limitBytes.*greater than 0/],
  ["container=workspace&follow=true", "-", /^$/],
  ["", "-", /a container name must be specified for pod dev, choose one of: \[again crashes new runs workspace\]/],
  ["container=nobody", "-", /container nobody is not valid for pod dev/],
  ["container=new", "-", /container \\"new\\" in pod \\"dev\\" is waiting to start: ContainerCreating/],
  ["container=new&follow=true", "new follow", /one/],
  ["container=runs&previous=true", "-", /previous terminated container \\"runs\\" in pod \\"dev\\" not found/],
  ["container=again&previous=true", "again previous", /one/],
  // While it does not run, the last run that ended is its latest.
  ["container=crashes&previous=true", "crashes", /one/],
  ["container=crashes", "crashes", /one/],
  ["container=runs&sinceSeconds=200", "runs", /one/],
  ["container=crashes&sinceSeconds=40", "-", /^$/],
  [`container=again&previous=true&sinceTime=${ago(100)}`, "-", /^$/],
  ["container=runs&sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z", "-", /at most one of/],
  ["container=runs&sinceTime=yesterday", "-", /RFC 3339/],
];

describe("a Pod's log", () => {
  for (const [query, opened, said] of table) {
    it(query === "" ? "of no container" : query, async () => {
      const { asked, get } = await setup();
      const { text } = await get(query);
      assert.match(text, said);
      const told = asked.map(({ name, follow, previous, tailLines }) => [name, ...(follow === true ? ["follow"] : []), ...(previous === true ? ["previous"] : []), ...(tailLines === undefined ? [] : [`tail ${tailLines}`])].join(" "));
      assert.equal(told.join(", ") || "-", opened);
    });
  }
  it("warns of what cannot be honoured", async () => {
    const { get } = await setup();
    assert.match((await get("container=runs&sinceSeconds=5")).warning!, /since the start of the run/);
    assert.match((await get("container=runs&timestamps=true")).warning!, /timestamps are not kept/);
    assert.equal((await get("container=runs&sinceSeconds=200")).warning, null);
  });
});
