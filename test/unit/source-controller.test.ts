import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { approvedPruneAnnotation, pruneAnnotation, sourceAnnotation, syncRequestAnnotation } from "../../src/api/annotations.ts";
import { findCondition } from "../../src/api/conditions.ts";
import type { Reading, SourceReader } from "../../src/sources/source-reader.ts";
import { orNone } from "../../src/api/status-error.ts";
import { createSourceWorld, cutOff, serviceText, workspaceText, type SourceWorld } from "../harness/source-world.ts";

const applied = "True Applied";
const six = ["a", "b", "c", "d", "e", "f"];

describe("a Source", () => {
  let world: SourceWorld;
  let files: Map<string, string>;
  beforeEach(async () => {
    world = createSourceWorld();
    files = world.files("s");
    await world.make("s");
  });
  const pass = async () => {
    await world.pass("s");
    return await world.ready("s");
  };
  const edit = (name: string, patch: object) => world.store.patch("Service", { namespace: "default", name }, { type: "merge", patch }, { fieldManager: "hand" });
  const problems = async () => ((await world.status("s")).problems ?? []).map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);

  it("makes what appears, changes what changes, deletes what vanishes", async () => {
    files.set("a.yaml", workspaceText("dev") + "---\n" + serviceText("web", { env: { A: "1" } }));
    assert.equal(await pass(), applied);
    assert.deepEqual(await world.names(), ["svc/web", "ws/dev"]);
    files.set("a.yaml", workspaceText("dev") + "---\n" + serviceText("web", { env: { A: "2" } })).set("sub/b.json", serviceText("api"));
    assert.equal(await pass(), applied);
    assert.deepEqual([(await world.service("web")).spec.env, await world.names()], [{ A: "2" }, ["svc/api", "svc/web", "ws/dev"]]);
    files.delete("sub/b.json");
    assert.equal(await pass(), applied);
    assert.deepEqual([await world.names(), (await world.status("s")).objects], [["svc/web", "ws/dev"], 2]);
  });
  it("counts its objects in words", async () => {
    const said = async () => findCondition((await world.status("s")).conditions, "Ready")!.message;
    files.set("a", serviceText("a"));
    await pass();
    assert.equal(await said(), "1 object is as the manifests say");
    await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { driftPolicy: "report" } } });
    await edit("a", { spec: { env: { A: "9" }, command: ["other"] } });
    await pass();
    assert.equal(await said(), "1 object is as the manifests say; it was changed by others and left so");
    files.set("b", serviceText("b"));
    await pass();
    assert.equal(await said(), "2 objects are as the manifests say; 1 of them changed by others and left so");
  });
  it("takes out a field that its manifest names no more", async () => {
    files.set("a", serviceText("web", { env: { A: "1", B: "2" } }));
    await pass();
    files.set("a", serviceText("web", { env: { A: "1" } }));
    await pass();
    assert.deepEqual((await world.service("web")).spec.env, { A: "1" });
  });
  it("writes nothing in a pass over a settled set, also after a restart", async () => {
    files.set("a", workspaceText("dev") + "---\n" + serviceText("web"));
    await pass();
    const { resourceVersion } = await world.store.list("Source");
    await pass();
    world.restart();
    await pass();
    assert.equal((await world.store.list("Source")).resourceVersion, resourceVersion);
  });
  it("makes the namespaces that are named, and leaves them", async () => {
    files.set("a", serviceText("web", {}, { namespace: "team" }));
    assert.equal(await pass(), applied);
    assert.match(world.events.at(-1)!.message, /: 1 namespace created, 1 created$/);
    files.set("a", serviceText("web"));
    assert.equal(await pass(), applied);
    assert.equal((await world.store.get("Namespace", { name: "team" })).metadata.deletionTimestamp, undefined);
    assert.equal(await orNone(world.store.get("Service", { namespace: "team", name: "web" })), undefined);
  });
  it("shares Namespaces with others", async () => {
    await world.store.create("Namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "team", labels: { mine: "1" } }, spec: {} }, { fieldManager: "hand" });
    files.set("a", JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "team", labels: { theirs: "2" } } }));
    assert.equal(await pass(), applied);
    files.clear();
    files.set("b", serviceText("web"));
    assert.equal(await pass(), applied);
    assert.equal((await world.store.get("Namespace", { name: "team" })).metadata.labels?.["mine"], "1");
  });
  it("with a targetNamespace puts all there, and refuses what names another", async () => {
    await world.make("t", { targetNamespace: "team" });
    world.files("t").set("a", serviceText("web"));
    await world.pass("t");
    assert.equal(await world.ready("t"), applied);
    assert.equal((await world.store.get("Service", { namespace: "team", name: "web" })).metadata.namespace, "team");
    world.files("t").set("b", serviceText("api", {}, { namespace: "other" }));
    await world.pass("t");
    assert.match((await world.status("t")).problems![0]!.message, /not the one spec\.targetNamespace names, "team"/);
  });

  describe("with something wrong", () => {
    beforeEach(async () => {
      files.set("a.yaml", serviceText("web"));
      await pass();
    });
    it("changes nothing, and says all that is wrong, with file, line and column", async () => {
      files.delete("a.yaml");
      files.set("b.yaml", "kind: [\n").set("c.yaml", `apiVersion: vendetta.dev/v1alpha1\nkind: Service\nmetadata: {name: x}\nspec: {workspace: dev, command: [a], prot: 1}\n`).set("d.yaml", serviceText("new"));
      assert.equal(await pass(), "False Invalid");
      const said = await problems();
      assert.match(said[0]!, /^b\.yaml:2:1: /);
      assert.equal(said[1], 'c.yaml:4:38: Service "x": spec.prot: unknown field; did you mean "port"?');
      assert.deepEqual(await world.names(), ["svc/web"]);
      assert.equal(findCondition((await world.status("s")).conditions, "PruneHeld")?.status, "True");
      files.delete("b.yaml");
      files.delete("c.yaml");
      assert.equal(await pass(), applied);
      assert.deepEqual([await world.names(), (await world.status("s")).problems], [["svc/new"], undefined]);
    });
    it("of two files about one object", async () => {
      files.set("b.yaml", serviceText("web"));
      assert.equal(await pass(), "False Invalid");
      assert.match((await problems())[0]!, /^b\.yaml:1:\d+: Service "web" is given twice; the first one is at a\.yaml:1$/);
    });
    it("that only the stored object shows", async () => {
      files.set("a.yaml", serviceText("web", { workspace: "other" }));
      assert.equal(await pass(), "False Invalid");
      assert.match((await problems())[0]!, /^a\.yaml:1:\d+: Service "web": spec\.workspace: cannot be changed/);
    });
    it("of kinds that nobody keeps in files", async () => {
      files.set("l", JSON.stringify({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l" }, spec: {} }));
      assert.equal(await pass(), "False Invalid");
      assert.match((await problems())[0]!, /a Source applies no Lease/);
    });
    it("of a port that a stranger's Service has", async () => {
      await world.store.create("Service", JSON.parse(serviceText("stranger", { port: 80 }, { namespace: "default" })) as never);
      files.set("b", serviceText("api", { port: 80 }));
      assert.equal(await pass(), "False Invalid");
      assert.match((await problems())[0]!, /80 is already used by Service "stranger"/);
    });
  });

  describe("applies in any order", () => {
    const ports = async (...names: readonly string[]) => await Promise.all(names.map(async (name) => (await world.service(name)).spec.port));
    it("two ports that change places", async () => {
      files.set("a", serviceText("a", { port: 80 })).set("b", serviceText("b", { port: 81 })).set("c", serviceText("c", { port: 82 }));
      await pass();
      files.set("a", serviceText("a", { port: 81 })).set("b", serviceText("b", { port: 82 })).set("c", serviceText("c", { port: 80 }));
      assert.equal(await pass(), applied);
      assert.deepEqual(await ports("a", "b", "c"), [81, 82, 80]);
    });
    it("a port that goes from what vanishes to what appears", async () => {
      files.set("old", serviceText("old", { port: 80 })).set("keep", serviceText("keep"));
      await pass();
      files.delete("old");
      files.set("new", serviceText("new", { port: 80 }));
      assert.equal(await pass(), applied);
      assert.deepEqual([await world.names(), await ports("new")], [["svc/keep", "svc/new"], [80]]);
    });
    it("dependencies that turn round", async () => {
      files.set("a", serviceText("a", { dependsOn: [{ name: "b" }] })).set("b", serviceText("b"));
      await pass();
      files.set("a", serviceText("a")).set("b", serviceText("b", { dependsOn: [{ name: "a" }] }));
      assert.equal(await pass(), applied);
      assert.deepEqual([(await world.service("a")).spec.dependsOn.length, (await world.service("b")).spec.dependsOn[0]?.name], [0, "a"]);
    });
  });

  describe("and deletions", () => {
    const approve = async () => {
      const { heldPrune } = await world.status("s");
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { metadata: { annotations: { [approvedPruneAnnotation]: heldPrune!.approval } } } });
    };
    beforeEach(async () => {
      for (const name of six) files.set(name, serviceText(name));
      for (const name of ["g", "h", "i", "j"]) files.set(name, serviceText(name));
      await pass();
    });
    it("of half of its objects are carried out", async () => {
      for (const name of six.slice(1)) files.delete(name);
      assert.equal(await pass(), applied);
      assert.equal((await world.names()).length, 5);
    });
    it("of more are held, with all else, until they are approved", async () => {
      for (const name of six) files.delete(name);
      files.set("new", serviceText("new"));
      assert.equal(await pass(), "False PruneHeld");
      assert.deepEqual([(await world.names()).length, (await world.status("s")).heldPrune?.count], [10, 6]);
      world.setReading("s", { kind: "unreadable", reason: "NotFound", message: "there is no such directory" });
      await pass();
      assert.equal((await world.status("s")).heldPrune, undefined, "nothing can be approved that cannot be read");
      world.setReading("s", undefined);
      await pass();
      await approve();
      assert.equal(await pass(), applied);
      assert.deepEqual(await world.names(), ["svc/g", "svc/h", "svc/i", "svc/j", "svc/new"]);
    });
    it("are approved as they were shown, not as they are by then", async () => {
      for (const name of six) files.delete(name);
      await pass();
      await approve();
      files.delete("g");
      assert.equal(await pass(), "False PruneHeld");
      assert.equal((await world.names()).length, 10);
    });
    describe("that were approved and not carried out", () => {
      const take = () => six.forEach((name) => files.delete(name));
      const putBack = () => six.forEach((name) => files.set(name, serviceText(name)));
      const given = async () => (await world.store.get("Source", { name: "s" })).metadata.annotations?.[approvedPruneAnnotation];
      const suspend = (is: boolean) => world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { suspend: is } } });
      beforeEach(async () => {
        take();
        await pass();
        await approve();
      });
      /** The very same objects vanish again: none goes, and what was approved once is no more. */
      const areHeldAnew = async () => {
        take();
        assert.equal(await pass(), "False PruneHeld");
        assert.equal(await pass(), "False PruneHeld");
        assert.deepEqual([(await world.names()).length, await given()], [10, undefined]);
        const { resourceVersion } = await world.store.list("Source");
        await pass();
        assert.equal((await world.store.list("Source")).resourceVersion, resourceVersion, "a settled pass writes");
        await approve();
        assert.equal(await pass(), applied);
        assert.deepEqual([(await world.names()).length, await given()], [4, undefined]);
      };
      it("are held anew when their manifests had come back", async () => {
        putBack();
        assert.equal(await pass(), applied);
        assert.equal(world.events.filter(({ reason }) => reason === "ApprovalForgotten").length, 1);
        await areHeldAnew();
      });
      it("are held anew when nothing could be read in between", async () => {
        world.setReading("s", { kind: "unreadable", reason: "NotFound", message: "there is no such directory" });
        await pass();
        world.setReading("s", undefined);
        await areHeldAnew();
      });
      it("are held anew when something was wrong in between", async () => {
        putBack();
        files.set("broken.yaml", "kind: [\n");
        assert.equal(await pass(), "False Invalid");
        files.delete("broken.yaml");
        await areHeldAnew();
      });
      it("are held anew when the Source was suspended in between, also over a restart", async () => {
        await suspend(true);
        await pass();
        world.restart();
        await suspend(false);
        await areHeldAnew();
      });
      it("are carried out when the server was not there to hear of it until now", async () => {
        world.restart();
        assert.equal(await pass(), applied);
        assert.deepEqual([(await world.names()).length, await given()], [4, undefined]);
        assert.deepEqual(world.events.filter(({ reason }) => reason === "ApprovalForgotten"), []);
      });
      it("are held when the approval is set again with nothing held", async () => {
        const before = await given();
        putBack();
        await pass();
        await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { metadata: { annotations: { [approvedPruneAnnotation]: before } } } });
        await areHeldAnew();
      });
    });
    it("of everything are held, however few", async () => {
      for (const name of [...six, "g", "h", "i"]) files.delete(name);
      await pass();
      await approve();
      await pass();
      assert.deepEqual(await world.names(), ["svc/j"]);
      files.clear();
      assert.equal(await pass(), "False PruneHeld");
      const empty = findCondition((await world.status("s")).conditions, "PruneHeld");
      assert.equal(empty?.reason, "EmptySet");
      assert.match(empty.message, /there is no manifest left in \/place\/s \(if they are on a file system of their own, see that it is mounted\); see/);
      await approve();
      assert.equal(await pass(), applied);
      assert.deepEqual([await world.names(), (await world.status("s")).inventory], [[], []]);
    });
    it("of what lay in a directory that a commit has no more are held, until they are approved", async () => {
      const missing = "spec.git.path: commit abc has no directory dev";
      const gone = (revision: string): Reading => ({ kind: "read", revision, texts: [], problems: [], missing });
      world.setReading("s", gone("1"));
      assert.equal(await pass(), "False PruneHeld");
      assert.match(findCondition((await world.status("s")).conditions, "Ready")!.message, /nothing is applied or deleted: spec\.git\.path: commit abc has no directory dev; see 'vendetta source diff s'/);
      assert.equal((await world.names()).length, 10);
      await approve();
      assert.equal(await pass(), applied);
      assert.deepEqual(await world.names(), []);
      world.setReading("s", gone("2"));
      assert.equal(await pass(), applied);
      assert.equal(findCondition((await world.status("s")).conditions, "Ready")!.message, `0 objects are as the manifests say; ${missing}`);
    });
    it("that a pass began and did not put on record are known to have been meant", async () => {
      world.setReading("s", { kind: "read", revision: "1", texts: [], problems: [], missing: "there is no directory dev" });
      await pass();
      for (const name of [...files.keys()]) await world.store.delete("Service", { namespace: "default", name });
      assert.equal(await pass(), applied);
      assert.deepEqual((await world.status("s")).inventory, []);
    });
    it("do not come of a directory that was never there, and what would not be deleted is not let go of", async () => {
      const missing = "spec.git.path: commit abc has no directory dve";
      for (const name of ["s", "new"]) world.setReading(name, { kind: "read", revision: "1", texts: [], problems: [], missing });
      await world.make("new");
      await world.pass("new");
      assert.equal(await world.ready("new"), "False NotFound");
      assert.deepEqual((await world.status("new")).problems, [{ file: "", message: missing }]);
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { prune: false } } });
      assert.equal(await pass(), "False NotFound");
      assert.equal((await world.status("s")).inventory?.length, 10);
    });
    it("never happen when the place cannot be read, and all is well when it can again", async () => {
      world.setReading("s", { kind: "unreadable", reason: "NotFound", message: "there is no such directory" });
      assert.equal(await pass(), "False NotFound");
      const held = findCondition((await world.status("s")).conditions, "PruneHeld")!;
      assert.deepEqual([held.status, held.reason, held.message], ["True", "NotFound", "nothing is deleted as long as the manifests cannot be read; there is nothing to approve"]);
      assert.equal((await world.names()).length, 10);
      world.setReading("s", undefined);
      assert.equal(await pass(), applied);
    });
    it("leave alone what says so, what is another's by now, and all when prune is false", async () => {
      await edit("a", { metadata: { annotations: { [pruneAnnotation]: "disabled" } } });
      await edit("b", { metadata: { annotations: { [sourceAnnotation]: "other" } } });
      for (const name of ["a", "b"]) files.delete(name);
      assert.equal(await pass(), applied);
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { prune: false } } });
      files.delete("c");
      assert.equal(await pass(), applied);
      assert.deepEqual([(await world.names()).length, (await world.status("s")).objects], [10, 7]);
      assert.deepEqual(world.events.filter(({ reason }) => reason === "Released").map(({ message }) => message.split(":")[0]), ["Service default/a is left as it is", "Service default/b is left as it is", "Service default/c is left as it is"]);
    });
    it("are of the object on record, not of another one of its name", async () => {
      await world.store.delete("Service", { namespace: "default", name: "a" });
      await world.store.create("Service", JSON.parse(serviceText("a", {}, { namespace: "default", annotations: { [sourceAnnotation]: "s" } })) as never);
      files.delete("a");
      assert.equal(await pass(), applied);
      assert.ok((await world.names()).includes("svc/a"));
    });
  });

  describe("whose objects others change", () => {
    beforeEach(async () => {
      files.set("a", serviceText("web", { env: { A: "1" }, port: 80 }, { labels: { x: "y" } }));
      await pass();
    });
    it("sets them again, and says so", async () => {
      await edit("web", { spec: { env: { A: "9" } } });
      assert.equal(await pass(), applied);
      assert.deepEqual((await world.service("web")).spec.env, { A: "1" });
      assert.match(world.events.find(({ reason }) => reason === "DriftReverted")!.message, /\.spec\.env\.A; it is restarted \(env changed\)$/);
    });
    it("leaves what its manifest does not name", async () => {
      await edit("web", { spec: { env: { B: "2" } }, metadata: { labels: { mine: "1" } } });
      assert.equal(await pass(), applied);
      const { spec, metadata } = await world.service("web");
      assert.deepEqual([spec.env, metadata.labels], [{ A: "1", B: "2" }, { x: "y", mine: "1" }]);
    });
    it("quarrels over a field ever more slowly, and forgets that when it is over", async () => {
      const env = async () => (await world.service("web")).spec.env["A"];
      for (let i = 0; i < 5; i++) {
        await edit("web", { spec: { env: { A: "9" } } });
        await pass();
        assert.equal(await env(), "1", `time ${i + 1}`);
      }
      await edit("web", { spec: { env: { A: "9" } } });
      await pass();
      assert.equal(await env(), "9", "a second after the fifth time it waits");
      await pass();
      assert.equal(await env(), "1");
      await world.clock.advance(60_000);
      for (let i = 0; i < 5; i++) {
        await edit("web", { spec: { env: { A: "9" } } });
        await pass();
        assert.equal(await env(), "1");
      }
    });
    it("makes again what was deleted", async () => {
      await world.store.delete("Service", { namespace: "default", name: "web" });
      assert.equal(await pass(), applied);
      assert.deepEqual(await world.names(), ["svc/web"]);
    });
    describe("and which only reports", () => {
      beforeEach(async () => {
        await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { driftPolicy: "report" } } });
      });
      const drift = async () => ((await world.status("s")).drift ?? []).map(({ name, fields }) => `${name} ${fields.join(" ")}`);
      it("leaves them so, and tells which", async () => {
        await edit("web", { spec: { env: { A: "9" } } });
        assert.equal(await pass(), applied);
        assert.deepEqual([(await world.service("web")).spec.env, await drift()], [{ A: "9" }, ["web .spec.env.A"]]);
        await edit("web", { spec: { env: { A: "1" } } });
        await pass();
        assert.deepEqual(await drift(), []);
      });
      it("applies what else changes in the manifest", async () => {
        await edit("web", { spec: { env: { A: "9" } } });
        await pass();
        files.set("a", serviceText("web", { env: { A: "2" }, port: 81 }, { labels: { x: "z" } }));
        await pass();
        const { spec, metadata } = await world.service("web");
        assert.deepEqual([spec.env, spec.port, metadata.labels, await drift()], [{ A: "9" }, 81, { x: "z" }, ["web .spec.env.A"]]);
      });
      it("leaves what was deleted so, and still makes what is new", async () => {
        await world.store.delete("Service", { namespace: "default", name: "web" });
        files.set("b", serviceText("api"));
        assert.equal(await pass(), applied);
        assert.deepEqual([await world.names(), await drift()], [["svc/api"], ["web the object, which was deleted"]]);
      });
    });
  });

  describe("and what is not its own", () => {
    const hand = () => world.store.create("Service", JSON.parse(serviceText("web", { env: { A: "hand", B: "x" } }, { namespace: "default" })) as never, { fieldManager: "hand" });
    it("changes nothing as long as one object was applied by hand", async () => {
      await hand();
      files.set("a", serviceText("api")).set("b", serviceText("web", { env: { A: "1" } }));
      assert.equal(await pass(), "False Refused");
      assert.match((await problems())[0]!, /^b:1:\d+: Service "web" was not applied by this Source; /);
      assert.deepEqual([await world.names(), (await world.service("web")).spec.env["A"]], [["svc/web"], "hand"]);
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { force: true } } });
      assert.equal(await pass(), applied);
      assert.deepEqual((await world.service("web")).spec.env, { A: "1", B: "x" });
    });
    it("says of which other Source it is, and takes it when that one is gone", async () => {
      files.set("a", serviceText("web", { env: { S: "1" } }));
      await pass();
      await world.make("t");
      world.files("t").set("x", serviceText("web", { env: { T: "1" } })).set("y", serviceText("more"));
      await world.pass("t");
      assert.equal(await world.ready("t"), "False Refused");
      assert.match((await world.status("t")).problems![0]!.message, /belongs to Source "s"/);
      assert.deepEqual(await world.names(), ["svc/web"]);
      await world.store.delete("Source", { name: "s" });
      await world.pass("t");
      assert.equal(await world.ready("t"), applied);
      assert.equal((await world.service("web")).metadata.annotations?.[sourceAnnotation], "t");
      // What the old one applied is not its own for ever, and there is nothing left to do.
      world.files("t").set("x", serviceText("web"));
      await world.pass("t");
      assert.deepEqual((await world.service("web")).spec.env, {});
      const { resourceVersion } = await world.store.list("Service");
      await world.pass("t");
      assert.deepEqual([(await world.store.list("Service")).resourceVersion, (await world.preview("t", new AbortController().signal))?.plan], [resourceVersion, { kind: "go", steps: [], drift: [], isApproved: false, claims: (await world.status("t")).inventory }]);
    });
    it("takes over what client-side apply had, and then takes fields out", async () => {
      const note = { "kubectl.kubernetes.io/last-applied-configuration": "{}" };
      await world.store.create("Service", JSON.parse(serviceText("web", { env: { A: "1", B: "2" } }, { namespace: "default", annotations: note })) as never, { fieldManager: "kubectl-client-side-apply" });
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { force: true } } });
      files.set("a", serviceText("web", { env: { A: "1" } }));
      assert.equal(await pass(), applied);
      assert.deepEqual((await world.service("web")).spec.env, { A: "1" });
    });
  });

  it("waits for what is still going, and makes it again then", async () => {
    const finalizers = ["example.com/hold"];
    files.set("a", serviceText("web")).set("b", serviceText("api"));
    await pass();
    await world.store.patch("Service", { namespace: "default", name: "web" }, { type: "merge", patch: { metadata: { finalizers } } });
    files.delete("a");
    await pass();
    files.set("a", serviceText("web"));
    assert.equal(await pass(), "False Waiting");
    await world.store.patch("Service", { namespace: "default", name: "web" }, { type: "merge", patch: { metadata: { finalizers: [] } } });
    assert.equal(await pass(), applied);
    assert.equal((await world.service("web")).metadata.deletionTimestamp, undefined);
  });
  describe("of a repository", () => {
    const git = { url: "https://example.com/stack.git" };
    const condition = async (type: string) => {
      const found = findCondition((await world.status("g")).conditions, type);
      return `${found?.status} ${found?.reason} ${found?.observedGeneration}`;
    };
    beforeEach(async () => {
      await world.make("g", { directory: undefined, git } as never);
      world.files("g").set("a", serviceText("web"));
      await world.pass("g");
    });
    it("says that it was not fetched when nothing of it is known, and of which spec that is", async () => {
      assert.equal(await condition("Fetched"), "True Fetched 1");
      await world.store.patch("Source", { name: "g" }, { type: "merge", patch: { spec: { git: { url: "https://example.com/wrong.git" } } } });
      const trouble = { reason: "FetchFailed", message: "Cannot fetch HEAD" };
      world.setReading("g", { kind: "unreadable", ...trouble, stale: trouble });
      await world.pass("g");
      assert.deepEqual([await condition("Ready"), await condition("Fetched")], ["False FetchFailed 2", "False FetchFailed 2"]);
      world.setReading("g", { kind: "unreadable", reason: "Unreadable", message: "Cannot read dev" });
      await world.pass("g");
      assert.deepEqual([await condition("Ready"), await condition("Fetched")], ["False Unreadable 2", "True Fetched 2"]);
    });
  });
  it("that follows a directory in place of a repository says nothing of fetching", async () => {
    await world.make("g", { directory: undefined, git: { url: "https://example.com/stack.git" } } as never);
    await world.pass("g");
    const types = async () => ((await world.status("g")).conditions ?? []).map(({ type }) => type);
    assert.deepEqual(await types(), ["Ready", "PruneHeld", "Fetched"]);
    await world.store.patch("Source", { name: "g" }, { type: "merge", patch: { spec: { git: null, directory: { path: "/place/g" } } } });
    await world.pass("g");
    assert.deepEqual(await types(), ["Ready", "PruneHeld"]);
  });
  describe("of a repository that is slow to answer", () => {
    let answer: (reading: Reading) => void;
    const asked = new Promise<void>(() => {});
    beforeEach(async () => {
      const reader: SourceReader = { read: () => new Promise((resolve) => void (answer = resolve)), release: () => asked, forget: () => asked, onHint: () => {}, close: () => asked };
      world = createSourceWorld(undefined, reader);
      await world.make("s", { directory: undefined, git: { url: "https://example.com/stack.git", ref: "main" } } as never);
    });
    const conditions = async () => ((await world.status("s")).conditions ?? []).map(({ type, status, reason, observedGeneration }) => `${type} ${status} ${reason} ${observedGeneration}`);
    /** A pass whose repository answers after so long. */
    const passAfter = async (ms: number, reading: Reading) => {
      const done = world.pass("s");
      await world.clock.advance(1000);
      await world.clock.advance(ms);
      const meanwhile = await conditions();
      answer(reading);
      await done;
      return meanwhile;
    };
    const read: Reading = { kind: "read", revision: "1", texts: [], problems: [] };
    it("says that it is asked, of a new spec and when somebody asked for it", async () => {
      assert.deepEqual(await passAfter(1_000, read), []);
      const done = ["Ready True Applied 1", "PruneHeld False NothingHeld 1", "Fetched True Fetched 1"];
      assert.deepEqual(await conditions(), done);
      assert.deepEqual(await passAfter(60_000, read), done, "nobody waits for it");
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { metadata: { annotations: { [syncRequestAnnotation]: "now" } } } });
      assert.deepEqual(await passAfter(3_000, read), [...done.slice(0, 2), "Fetched Unknown Fetching 1"]);
      await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { git: { url: "https://example.com/other.git" } } } });
      assert.deepEqual(await passAfter(3_000, read), ["Ready Unknown Fetching 2", "PruneHeld False NothingHeld 1", "Fetched Unknown Fetching 2"]);
      assert.deepEqual(await conditions(), ["Ready True Applied 2", "PruneHeld False NothingHeld 2", "Fetched True Fetched 2"]);
    });
  });
  describe("whose repository never answers", () => {
    let asked: number;
    let givenUp: number;
    beforeEach(async () => {
      [asked, givenUp] = [0, 0];
      const read: SourceReader["read"] = (_, { signal }) => new Promise((_resolve, reject) => {
        asked++;
        signal.addEventListener("abort", () => {
          givenUp++;
          reject(signal.reason as Error);
        }, { once: true });
      });
      const done = () => Promise.resolve();
      world = createSourceWorld(undefined, { read, release: done, forget: done, onHint: () => {}, close: done });
      await world.make("s", { directory: undefined, git: { url: "https://example.com/silent.git", ref: "main" } } as never);
    });
    /** What became of a pass that was under way while something happened, within so much time. */
    const passWhile = async (happens: () => Promise<unknown>, ms: number) => {
      const end = world.pass("s").then((outcome) => outcome.kind);
      // Until it is told that it is asked.
      for (let i = 0; i < 10 && (await world.status("s")).conditions === undefined; i++) await world.clock.advance(1_000);
      assert.deepEqual([asked, givenUp], [1, 0]);
      await happens();
      await world.refresh();
      await world.clock.advance(ms);
      return await Promise.race([end, new Promise((resolve) => setImmediate(resolve, "goes on"))]);
    };
    const patch = (change: object) => world.store.patch("Source", { name: "s" }, { type: "merge", patch: change });

    it("is not waited for when the spec names another", async () => {
      assert.equal(await passWhile(() => patch({ spec: { git: { url: "https://example.com/other.git" } } }), 500), "requeue");
      assert.equal(givenUp, 1);
    });
    it("is not waited for when the Source is deleted", async () => {
      assert.equal(await passWhile(() => world.store.delete("Source", { name: "s" }), 500), "requeue");
    });
    it("is not waited for when the Source is suspended, which says nothing of a fetch then", async () => {
      assert.equal(await passWhile(() => patch({ spec: { suspend: true } }), 500), "requeue");
      await world.pass("s");
      assert.deepEqual(((await world.status("s")).conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`), ["Ready False Suspended"]);
    });
    it("is waited for while nothing changes but what is no wish", async () => {
      assert.equal(await passWhile(() => patch({ metadata: { labels: { a: "b" } } }), 60_000), "goes on");
    });
  });
  it("does nothing while it is suspended", async () => {
    files.set("a", serviceText("web"));
    await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { suspend: true } } });
    assert.equal(await pass(), "False Suspended");
    assert.deepEqual(await world.names(), []);
    await world.store.patch("Source", { name: "s" }, { type: "merge", patch: { spec: { suspend: false } } });
    assert.equal(await pass(), applied);
  });
});

describe("a Source cut off between any two writes", () => {
  it("does the rest in the next pass, and forgets nothing it has made", async () => {
    for (let writes = 0; ; writes++) {
      let left = Infinity;
      const world = createSourceWorld((store) => cutOff(store, () => left-- > 0));
      await world.make("s");
      const files = world.files("s");
      for (const name of six) files.set(name, serviceText(name));
      files.set("n", serviceText("n", {}, { namespace: "room" }));
      await world.pass("s");
      for (const name of ["a", "b"]) files.delete(name);
      files.set("c", serviceText("c", { env: { C: "1" } })).set("x", serviceText("x", {}, { namespace: "other" })).set("y", serviceText("y"));
      left = writes;
      const cut = await world.pass("s").then(() => false, () => true);
      left = Infinity;
      world.restart();
      // What was made before the cut, and is not wanted any more, goes as well.
      files.delete("y");
      await world.pass("s");
      assert.equal(await world.ready("s"), "True Applied", `after ${writes} writes`);
      assert.deepEqual(await world.names(), ["svc/c", "svc/d", "svc/e", "svc/f", "svc/n", "svc/x"], `after ${writes} writes`);
      assert.deepEqual((await world.service("c")).spec.env, { C: "1" });
      if (!cut) return assert.ok(writes > 5, "nothing was cut off");
    }
  });
});
