import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { systemClock } from "../../src/base/system.ts";
import { createHttpStore, type HttpStore } from "../../src/client/http-store.ts";
import { createApp, type App, type AppOptions } from "../../src/server/app.ts";
import { listen, type Listener } from "../../src/server/listener.ts";
import type { Upgrader } from "../../src/server/upgrade.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";

export const group = "/apis/vendetta.dev/v1alpha1";
export const room = `${group}/namespaces/default`;

/** A manifest of a small Workspace, with the parts given over it. */
export function workspace(name: string, spec: object = {}, metadata: object = {}) {
  return { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name, namespace: "default", ...metadata }, spec: { provider: "docker", image: "node:20", ...spec } };
}

export interface TestApp {
  readonly store: Store;
  readonly app: App;
  /** One request. A body that is no string goes as JSON. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** The app over a memory store that has the namespace "default". No socket. */
export function testApp(options: Partial<AppOptions> & { readonly historyEventsMax?: number; readonly watchBufferEventsMax?: number } = {}): TestApp {
  const { clock = systemClock, historyEventsMax, watchBufferEventsMax, ...rest } = options;
  const store = options.store ?? createMemoryStore({ clock, random: seededRandom(1), historyEventsMax, watchBufferEventsMax });
  const app = createApp({ store, clock, log: silentLogger, version: "0.0.0-test", ...rest });
  return {
    store,
    app,
    send(method, path, body, headers = {}) {
      const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
      return app(new Request(`http://localhost${path}`, { method, body: text, headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers } }));
    },
  };
}

/** Reads the events of a watch from a streamed answer, one at a time. */
export function eventsOf(response: Response): AsyncGenerator<{ readonly type: string; readonly object: any }> & { cancel(): Promise<void> } {
  const reader = response.body!.getReader();
  async function* read() {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        yield JSON.parse(line);
      }
    }
  }
  return Object.assign(read(), { cancel: () => reader.cancel() });
}

export interface TestServer extends TestApp {
  readonly client: HttpStore;
  readonly listener: Listener;
  readonly socketPath: string;
  stop(): Promise<void>;
}

export interface TestServerOptions extends NonNullable<Parameters<typeof testApp>[0]> {
  /** Takes over connections, given the store; absent: nothing is upgraded. */
  readonly upgrade?: (store: Store) => Upgrader;
}

/** App, listener and client over a real unix socket in a directory of its own. */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock: Clock = options.clock ?? systemClock;
  const made = testApp(options);
  const directory = await mkdtemp(join(tmpdir(), "vendetta-"));
  const socketPath = join(directory, "run", "api.sock");
  const listener = await listen({ upgrade: options.upgrade?.(made.store), app: made.app, socketPath, log: silentLogger, clock });
  const client = createHttpStore({ socketPath, clock, userAgent: "vendetta-test" });
  return {
    ...made,
    client,
    listener,
    socketPath,
    async stop() {
      await client.close();
      await listener.close();
      await rm(directory, { recursive: true });
    },
  };
}
