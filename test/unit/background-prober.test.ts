import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { silentLogger as log } from "../../src/base/log.ts";
import { createVirtualClock } from "../../src/base/virtual-clock.ts";
import { ProviderError, type Provider } from "../../src/providers/provider.ts";
import { createBackgroundProber } from "../../controllers/service/background-prober.ts";
import type { ProbeSpec } from "../../controllers/service/prober.ts";

const check = { tcp: {}, intervalSeconds: 5, timeoutSeconds: 2, failureThreshold: 3, startPeriodSeconds: 30 };

/** A service on another machine: whether it answers, and whether the way there holds, as the test says. */
async function bench() {
  const clock = createVirtualClock();
  const prober = createBackgroundProber({ clock, log });
  const world = { answers: true, wayHolds: true, asked: 0 };
  const provider = {
    dial: () => (world.answers ? Promise.resolve(new PassThrough()) : Promise.reject(new ProviderError("Unreachable", "no answer", true))),
  } as unknown as Provider;
  const watchWay = () => () => {
    world.asked++;
    return Promise.resolve(world.wayHolds);
  };
  const spec: ProbeSpec = { run: "1", check, defaultPort: 80, provider, watchWay, instanceId: "i", env: {}, workingDir: undefined };
  const health = () => prober.watch("uid", spec).state;
  health();
  await clock.advance(1000);
  assert.equal(health(), "healthy");
  return { clock, prober, world, health, spec };
}

describe("health checks of what is on another machine", () => {
  it("failed while the way held are the service's failures", async () => {
    const { clock, prober, world, health } = await bench();
    world.answers = false;
    await clock.advance(20_000);
    assert.equal(health(), "unhealthy");
    await prober.close();
  });
  it("failed while the way did not hold say nothing, however many, and count from nothing when it does again", async () => {
    const { clock, prober, world, health } = await bench();
    Object.assign(world, { answers: false, wayHolds: false });
    await clock.advance(10 * 60_000);
    assert.equal(health(), "healthy");
    assert.ok(world.asked > 3);
    world.wayHolds = true;
    await clock.advance(12_000);
    assert.equal(health(), "healthy", "two failures that count are not three");
    world.answers = true;
    await clock.advance(12_000);
    assert.equal(health(), "healthy");
    await prober.close();
  });
  it("go on by the way that was given last", async () => {
    const { clock, prober, world, health, spec } = await bench();
    world.answers = false;
    const provider = { dial: () => Promise.resolve(new PassThrough()) } as unknown as Provider;
    prober.watch("uid", { ...spec, provider });
    await clock.advance(60_000);
    assert.equal(prober.watch("uid", { ...spec, provider }).state, "healthy");
    assert.equal(health(), "healthy");
    await prober.close();
  });
});
