import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callEngine } from "../../src/providers/docker/docker-client.ts";
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
  it("is told in its own words otherwise, and is not tried again when the manifest is wrong", async () => {
    const { reason, retriable, message } = await refusalOf(400, "invalid volume specification");
    assert.deepEqual([reason, retriable, message], ["InvalidSpec", false, "invalid volume specification"]);
  });
});
