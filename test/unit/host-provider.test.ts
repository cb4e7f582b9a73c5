import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { createHostProvider } from "../../src/providers/host/host-provider.ts";
import { TransportError, type Transport } from "../../src/transports/transport.ts";

describe("plain processes of a machine whose files cannot be read any more", () => {
  const lost = () => Promise.reject(new TransportError("lost the connection", true));
  const transport = { name: "far", run: lost, files: { read: lost, list: () => Promise.resolve(["vendetta-c-1", "vendetta-c-2"]) } } as unknown as Transport;
  const provider = createHostProvider({ transport, clock: createVirtualClock(), dir: () => Promise.resolve("/instances") });
  const signal = AbortSignal.timeout(10_000);
  const refusals: Readonly<Record<string, () => Promise<unknown>>> = {
    inspect: () => provider.inspect("vendetta-c-1", signal),
    list: () => provider.list("c", signal),
    dial: () => provider.dial("vendetta-c-1", 80, signal),
    usage: () => provider.usage!("vendetta-c-1", signal),
  };
  for (const [verb, refused] of Object.entries(refusals)) {
    // A rejection that nobody takes fails the test, as it would end the server.
    it(`${verb} says so once`, () => assert.rejects(refused(), { reason: "EngineUnreachable" }));
  }
});
