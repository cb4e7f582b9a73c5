import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callEngine, namingMount } from "../../src/providers/docker/docker-client.ts";
import type { ProviderError } from "../../src/providers/provider.ts";

/** What becomes of a refusal, as dockerode hands it on. */
async function refusalOf(statusCode: number, message: string): Promise<ProviderError> {
  const refused = Object.assign(new Error(`(HTTP code ${statusCode}) - ${message}`), { statusCode, json: { message } });
  return await callEngine("/run/docker.sock", undefined, () => Promise.reject(refused)).then(() => assert.fail("it was taken"), (error: ProviderError) => error);
}

describe("what Docker refuses", () => {
  it("is told by the field when a directory of the node is missing", async () => {
    const { reason, retriable, message } = await refusalOf(400, 'invalid mount config for type "bind": bind source path does not exist: /no such/dir');
    assert.deepEqual([reason, retriable], ["MountSourceMissing", true]);
    assert.match(message, /^spec\.mounts: there is no hostPath \/no such\/dir on the node; make it there, /);
  });
  it("is told by the mount that asked for it, where that is known", async () => {
    const refused = await refusalOf(400, 'invalid mount config for type "bind": bind source path does not exist: /no');
    const bind = (source: string) => ({ kind: "bind", source, target: `/x${source}`, readOnly: false }) as const;
    const told = namingMount(refused, [bind("/no/such"), { kind: "tmpfs", target: "/y", sizeBytes: undefined }, bind("/no")]) as ProviderError;
    assert.deepEqual([told.reason, told.retriable, told.cause], ["MountSourceMissing", true, refused.cause]);
    assert.match(told.message, /^spec\.mounts\[2\]\.hostPath: there is no \/no on the node; make it there, /);
    assert.equal(namingMount(refused, [bind("/other")]), refused);
  });
  it("is told by the field when the image has no such user", async () => {
    const { reason, message } = await refusalOf(500, "unable to find user nobody1: no matching entries in passwd file");
    assert.equal(reason, "UserNotFound");
    assert.match(message, /^spec\.user: the image has no nobody1; /);
  });
  it("is told in its own words otherwise, and is not tried again when the manifest is wrong", async () => {
    const { reason, retriable, message } = await refusalOf(400, "invalid volume specification");
    assert.deepEqual([reason, retriable, message], ["InvalidSpec", false, "invalid volume specification"]);
  });
});
