import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import {
  CoreV1Api, CustomObjectsApi, Exec, KubeConfig, KubernetesObjectApi, Log, makeInformer, PatchStrategy, PortForward,
  type KubernetesListObject, type KubernetesObject, type V1Pod, type V1Status,
} from "@kubernetes/client-node";
import { createTestCli, type TestCli } from "../harness/cli.ts";
import { eventually } from "../harness/eventually.ts";
import { textOf } from "../conformance/supervisor-places.ts";

const group = "vendetta.dev";
const version = "v1alpha1";
const namespace = "default";

/** Answers each connection with what it was sent, in capitals, and ends when its peer does. */
const echo = "require('net').createServer({ allowHalfOpen: true }, (s) => { s.on('data', (d) => s.write(d.toString().toUpperCase())); s.on('end', () => s.end('END')); s.on('error', () => {}); }).listen(process.env.PORT, () => console.log('listening'))";

describe("a stock client library", () => {
  let cli: TestCli;
  let config: KubeConfig;
  let custom: CustomObjectsApi;

  before(async () => {
    cli = createTestCli({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
    config = new KubeConfig();
    config.loadFromFile((await cli.ok("kubeconfig")).trim());
    custom = config.makeApiClient(CustomObjectsApi);
    const objects = KubernetesObjectApi.makeApiClient(config);
    await objects.create({ apiVersion: `${group}/${version}`, kind: "Workspace", metadata: { name: "dev", namespace }, spec: { provider: "host" } } as KubernetesObject);
    await objects.create({ apiVersion: `${group}/${version}`, kind: "Service", metadata: { name: "echo", namespace }, spec: { workspace: "dev", command: [process.execPath, "-e", echo], port: 18090 } } as KubernetesObject);
    await cli.ok("wait", "service", "echo", "--for=condition=Ready", "--timeout=60s");
  });
  after(async () => {
    await cli?.ok("delete", "workspace,service", "--all");
    await cli?.dispose();
  });

  const services = async (labelSelector?: string) => ((await custom.listNamespacedCustomObject({ group, version, namespace, plural: "services", ...(labelSelector === undefined ? {} : { labelSelector }) })) as { items: KubernetesObject[] }).items;
  const read = () => custom.getNamespacedCustomObject({ group, version, namespace, plural: "services", name: "echo" }) as Promise<KubernetesObject & { readonly spec: { readonly env: Record<string, string> } }>;

  it("lists, and pages through lists", async () => {
    assert.deepEqual((await services()).map((each) => each.metadata!.name), ["echo"]);
    assert.deepEqual(await services("app=none"), []);
    const core = config.makeApiClient(CoreV1Api);
    const first = await core.listNamespacedEvent({ namespace, limit: 1 });
    assert.equal(first.items.length, 1);
    const rest = await core.listNamespacedEvent({ namespace, _continue: first.metadata!._continue! });
    assert.ok(rest.items.length > 0 && rest.items.every((each) => each.metadata.name !== first.items[0]!.metadata.name));
  });

  it("patches: merge, JSON, and on the server with owners", async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const of = { apiVersion: `${group}/${version}`, kind: "Service", metadata: { name: "echo", namespace } };
    await objects.patch({ ...of, metadata: { ...of.metadata, labels: { app: "shop" } } }, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
    assert.equal((await services("app=shop")).length, 1);
    await objects.patch({ ...of, metadata: { ...of.metadata, annotations: { note: "applied" } } }, undefined, undefined, "robot", undefined, PatchStrategy.ServerSideApply);
    const { metadata } = await read();
    assert.equal(metadata!.annotations!["note"], "applied");
    assert.deepEqual(metadata!.managedFields!.filter((each) => each.operation === "Apply").map((each) => each.manager), ["robot"]);
  });

  it("keeps an informer's cache true over a restart of the server", { timeout: 120_000 }, async () => {
    const list = async () => (await custom.listNamespacedCustomObject({ group, version, namespace, plural: "services" })) as KubernetesListObject<KubernetesObject>;
    const informer = makeInformer(config, `/apis/${group}/${version}/namespaces/${namespace}/services`, list);
    const told: string[] = [];
    let stopping = false;
    for (const verb of ["add", "update", "delete"] as const) informer.on(verb, (object) => void told.push(`${verb} ${object.metadata!.name} ${object.metadata!.annotations?.["round"] ?? "-"}`));
    // As its documentation asks: start again after an error.
    informer.on("error", () => void (stopping || setTimeout(() => void informer.start(), 200)));
    try {
      await informer.start();
      await cli.ok("patch", "service", "echo", "-p", '{"metadata":{"annotations":{"round":"1"}}}');
      await eventually(() => assert.ok(told.includes("update echo 1")), 20_000);
      await cli.ok("server", "stop");
      await cli.ok("server", "start");
      await cli.ok("patch", "service", "echo", "-p", '{"metadata":{"annotations":{"round":"2"}}}');
      await eventually(() => assert.ok(told.includes("update echo 2")), 40_000, 100);
      assert.equal(told.filter((each) => each.startsWith("delete")).length, 0);
    } finally {
      stopping = true;
      await informer.stop();
    }
  });

  it("sees the Workspace as a pod", async () => {
    const core = config.makeApiClient(CoreV1Api);
    const pod = await eventually(async (): Promise<V1Pod> => {
      const found = await core.readNamespacedPod({ namespace, name: "dev" });
      assert.equal(found.status!.phase, "Running");
      assert.equal(found.status!.containerStatuses!.find((each) => each.name === "echo")!.ready, true);
      return found;
    }, 30_000);
    assert.deepEqual(pod.spec!.containers.map((each) => each.name), ["echo", "workspace"]);
  });

  it("runs commands in it", async () => {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const status = await new Promise<V1Status>((resolve, reject) => {
      new Exec(config).exec(namespace, "dev", "workspace", ["sh", "-c", "cat; echo oops >&2; exit 3"], stdout, stderr, Readable.from(["over stdin"]), false, resolve).catch(reject);
    });
    assert.equal(status.status, "Failure");
    assert.equal(status.details!.causes!.find((each) => each.reason === "ExitCode")!.message, "3");
    assert.equal(stdout.read().toString(), "over stdin");
    assert.equal(stderr.read().toString(), "oops\n");
  });

  it("reads a service's log", async () => {
    const stream = new PassThrough();
    await new Log(config).log(namespace, "dev", "echo", stream, { follow: false, tailLines: 5 });
    assert.match(await textOf(stream), /listening\n/);
  });

  it("forwards a port", async () => {
    const output = new PassThrough();
    const input = new PassThrough();
    const socket = await new PortForward(config).portForward(namespace, "dev", [18090], output, null, input);
    try {
      input.write("hello");
      await eventually(() => assert.equal((output.read() as Buffer | null)?.toString(), "HELLO"), 10_000);
    } finally {
      const closed = once(socket as unknown as NodeJS.EventEmitter, "close");
      (socket as unknown as { close(): void }).close();
      await closed;
    }
  });
});
