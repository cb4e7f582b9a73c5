import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { instanceId, type InstanceExecOptions, type InstanceSpec, type Provider } from "../../../src/providers/provider.ts";
import { execCases } from "./suite-exec.ts";
import { cluster, odd, type Kit, type ProviderConformanceOptions, type ProviderPlace } from "./suite-kit.ts";
import { lifecycleCases } from "./suite-lifecycle.ts";
import { reachCases } from "./suite-reach.ts";
import { troubleCases } from "./suite-trouble.ts";
import { upkeepCases } from "./suite-upkeep.ts";

const groups = [lifecycleCases, upkeepCases, execCases, reachCases, troubleCases];
let made = 0;

/** The words of provider.ts as cases; every provider is held to them. `name`: the provider's, and " over SSH" where it is. */
export function providerConformance(name: string, make: () => Promise<ProviderPlace>, { skip = {}, patience = 1 }: ProviderConformanceOptions = {}): void {
  describe(`provider ${name}`, { timeout: 180_000 * patience }, () => {
    let place: ProviderPlace;
    const asked = new Set<string>();
    const ids = new Set<string>();
    const signal = () => AbortSignal.timeout(30_000 * patience);
    const newSpec = (more: Partial<InstanceSpec> = {}): InstanceSpec => ({
      owner: { cluster, uid: `u${process.pid}x${made++}`, namespace: "default", name: "dev" }, generation: 1, specHash: "hash-1", hostname: "dev", image: place.image,
      imagePullPolicy: "Never", env: {}, workingDir: undefined, user: undefined, mounts: [], ports: [], resources: { cpus: undefined, memoryBytes: undefined, pidsMax: undefined }, engine: place.engine ?? {}, ...more,
    });
    const specOf = (more: Partial<InstanceSpec> = {}): InstanceSpec => {
      const spec = newSpec(more);
      ids.add(instanceId(spec.owner));
      return spec;
    };
    // After each case: a machine may not have the room for all of them.
    const clear = async () => {
      const all = [...ids];
      ids.clear();
      await Promise.all(all.map((id) => place.provider.destroy(id, { volumes: true }, signal())));
    };
    const upAndRunning = async (provider: Provider, spec: InstanceSpec) => {
      await provider.create(spec, () => {}, signal());
      await provider.start(instanceId(spec.owner), signal());
      return instanceId(spec.owner);
    };
    let sharedSpec: InstanceSpec | undefined;
    const kit: Kit = {
      signal,
      specOf,
      patient: (ms) => ms * patience,
      place: () => place,
      test(what, body) {
        assert.ok(!asked.has(what), `two cases are called "${what}"`);
        asked.add(what);
        it(what, { skip: skip[what] ?? false }, async () => {
          try {
            await body(place.provider);
          } finally {
            await clear();
          }
        });
      },
      running: (provider: Provider, more: Partial<InstanceSpec> = {}) => upAndRunning(provider, specOf(more)),
      shared(provider: Provider) {
        sharedSpec ??= newSpec({ env: { FROM_SPEC: odd, WHO: "spec", ALSO: "spec" }, workingDir: "/" });
        return upAndRunning(provider, sharedSpec);
      },
      async run(provider: Provider, id: string, argv: readonly string[], stdin: string | Buffer = "", options: InstanceExecOptions = {}) {
        const stream = await provider.exec(id, argv, options);
        const out: Buffer[] = [];
        const err: Buffer[] = [];
        stream.stdout.on("data", (chunk: Buffer) => out.push(chunk));
        stream.stderr.on("data", (chunk: Buffer) => err.push(chunk));
        stream.stdin.end(stdin);
        const exit = await stream.exit;
        return { ...exit, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString("utf8") };
      },
      list: async (provider: Provider, of = cluster) => (await provider.list(of, signal())).map((each) => each.id),
    };

    before(async () => {
      place = await make();
    });
    after(async () => {
      if (sharedSpec !== undefined) await place.provider.destroy(instanceId(sharedSpec.owner), { volumes: true }, signal());
      await place.close();
    });

    for (const cases of groups) cases(kit);
    it("skips only cases there are", () => assert.deepEqual(Object.keys(skip).filter((each) => !asked.has(each)), []));
  });
}
