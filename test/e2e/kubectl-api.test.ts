import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { createKubectlApp, type KubectlApp } from "../harness/kubectl-app.ts";
import { kubectlUnavailable } from "../harness/kubectl.ts";
import type { ProgramResult } from "../harness/program.ts";

const manifest = (name: string, spec = "{provider: docker, image: node:20}", kind = "Workspace", apiVersion = "vendetta.dev/v1alpha1") => `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, labels: {app: ${name}}}\nspec: ${spec}\n`;

const printedBy = ({ stdout, stderr }: ProgramResult) => (stdout + stderr).trim();

/** What is typed, what is printed (a text, or what it must match), the exit code when it is not that of success, and the first minor version of 1 that types or words it so. */
type Row = readonly [args: readonly string[], printed: string | RegExp, options?: { readonly code?: number; readonly stdin?: string; readonly env?: Readonly<Record<string, string>>; readonly minorMin?: number }];

describe("what the stock kubectl prints", { skip: kubectlUnavailable() ?? false, timeout: 300_000 }, () => {
  let kubectl: KubectlApp;
  before(async () => {
    kubectl = await createKubectlApp();
    const made = await kubectl.run(["create", "-f", "-"], { stdin: ["dev", "test", "web-1"].map((name) => manifest(name)).join("---\n") + `---\n${manifest("api", "{workspace: dev, command: [run], port: 80}", "Service")}` });
    assert.equal(made.code, 0, printedBy(made));
  });
  after(() => kubectl?.dispose());

  const rows = (title: string, table: readonly Row[]): void => {
    describe(title, () => {
      for (const [args, printed, { code = 0, stdin, env, minorMin } = {}] of table) {
        it(`kubectl ${args.join(" ")}${stdin === undefined ? "" : ` < ${JSON.stringify(stdin.slice(0, 60))}`}`, { skip: kubectlUnavailable(minorMin) ?? false }, async () => {
          const result = await kubectl.run(args, { stdin, env });
          if (typeof printed === "string") assert.equal(printedBy(result), printed);
          else assert.match(printedBy(result), printed);
          assert.equal(result.code, code, printedBy(result));
        });
      }
    });
  };

  rows("of what there is", [
    [["api-versions"], /^apiextensions\.k8s\.io\/v1\n[^]*^v1\n[^]*^vendetta\.dev\/v1alpha1$/m],
    [["api-resources", "--api-group=vendetta.dev", "--no-headers"], /^nodes +no +vendetta\.dev\/v1alpha1 +false +Node\nservices +svc +vendetta\.dev\/v1alpha1 +true +Service\nsources +src +vendetta\.dev\/v1alpha1 +false +Source\nworkspaces +ws +vendetta\.dev\/v1alpha1 +true +Workspace$/],
    [["api-resources", "--categories=vendetta", "-o", "name"], "nodes.vendetta.dev\nservices.vendetta.dev\nsources.vendetta.dev\nworkspaces.vendetta.dev", { minorMin: 32 }],
    [["cluster-info"], /Kubernetes control plane.* is running at .*http:\/\/127\.0\.0\.1:\d+/],
    [["get", "vendetta", "-o", "name"], "workspace.vendetta.dev/dev\nworkspace.vendetta.dev/test\nworkspace.vendetta.dev/web-1\nservice.vendetta.dev/api"],
    [["get", "crd", "-o", "name"], /customresourcedefinition\.apiextensions\.k8s\.io\/workspaces\.vendetta\.dev/],
    [["get", "crds"], /^NAME +CREATED AT\nnodes\.vendetta\.dev +\d{4}-\d\d-\d\dT/],
    [["wait", "--for", "condition=established", "crd/workspaces.vendetta.dev", "--timeout=10s"], "customresourcedefinition.apiextensions.k8s.io/workspaces.vendetta.dev condition met"],
  ]);

  rows("as documentation", [
    [["explain", "service.spec.healthCheck.http.path"], /FIELD: +path <string>[^]*Path asked for with GET\. Default: \/\./],
    [["explain", "workspace.spec", "--recursive"], /^GROUP: +vendetta\.dev\nKIND: +Workspace\nVERSION: +v1alpha1[^]*mounts\t<\[\]Object>\n {4}hostPath\t<string>[^]*provider\t<string> -required-\n +enum: docker, lxc, qemu, host/, { minorMin: 32 }],
    [["explain", "ws.spec.resources.memory"], /Most bytes of memory, as a quantity/],
    [["explain", "nodes.metadata.labels"], /Short key\/value pairs to select objects by/],
    [["explain", "--output=plaintext-openapiv2", "ws.spec.resources"], /RESOURCE: resources <Object>[^]*memory\t<string>\n +Most bytes of memory/, { minorMin: 32 }],
    [["explain", "namespace"], /VERSION: +v1\n[^]*A room for names/],
    [["explain", "ws.spec.none"], /error: field "none" does not exist$/, { code: 1 }],
  ]);

  rows("of reads", [
    [["get", "ws", "dev"], /^NAME +READY +STATUS +PROVIDER +NODE +RESTARTS +AGE\ndev +docker +/],
    [["get", "ws", "dev", "-o", "wide"], /^NAME +READY +STATUS +PROVIDER +NODE +RESTARTS +IMAGE +ADDRESS +INSTANCE +AGE +MESSAGE\ndev +docker +node:20 /],
    [["get", "ws,svc", "--no-headers"], /^workspace\.vendetta\.dev\/dev .*\n[^]*\nservice\.vendetta\.dev\/api /],
    [["get", "ws", "--chunk-size=1", "-o", "name"], "workspace.vendetta.dev/dev\nworkspace.vendetta.dev/test\nworkspace.vendetta.dev/web-1"],
    [["get", "ws", "-l", "app in (dev, test), app notin (test),app", "-o", "name"], "workspace.vendetta.dev/dev"],
    [["get", "ws", "-l", "!app"], "No resources found in default namespace."],
    [["get", "ws", "--field-selector", "metadata.name!=dev,spec.provider=docker", "-o", "name"], "workspace.vendetta.dev/test\nworkspace.vendetta.dev/web-1"],
    [["get", "ws", "-A", "--sort-by=.metadata.name", "-o", "custom-columns=N:.metadata.name,K:.kind,V:.apiVersion"], "N       K           V\ndev     Workspace   vendetta.dev/v1alpha1\ntest    Workspace   vendetta.dev/v1alpha1\nweb-1   Workspace   vendetta.dev/v1alpha1"],
    [["get", "ws", "-o", "jsonpath={.kind} {.items[*].kind}"], "List Workspace Workspace Workspace"],
    [["get", "--raw", "/apis/vendetta.dev/v1alpha1/workspaces?limit=1"], /^\{"kind":"WorkspaceList","apiVersion":"vendetta\.dev\/v1alpha1","metadata":\{"resourceVersion":"\d+","continue":"[^"]+","remainingItemCount":2\},"items":\[\{"apiVersion":"vendetta\.dev\/v1alpha1","kind":"Workspace"/],
    [["get", "ws", "dev", "--subresource=status", "-o", "name"], "workspace.vendetta.dev/dev", { minorMin: 32 }],
    [["wait", "ws/dev", "--for=jsonpath={.spec.provider}=docker", "--timeout=10s"], "workspace.vendetta.dev/dev condition met", { minorMin: 32 }],
    [["describe", "ws", "dev"], /^Name: +dev\nNamespace: +default\nLabels: +app=dev\n/],
  ]);

  rows("of mistakes", [
    [["get", "ws", "nope"], 'Error from server (NotFound): workspaces.vendetta.dev "nope" not found', { code: 1 }],
    [["get", "ns", "nope"], 'Error from server (NotFound): namespaces "nope" not found', { code: 1 }],
    [["get", "gadgets"], 'error: the server doesn\'t have a resource type "gadgets"', { code: 1 }],
    [["get", "--raw", "/apis/vendetta.dev/v2"], "Error from server (NotFound): the server could not find the requested resource", { code: 1 }],
    [["get", "--raw", "/nope"], "Error from server (NotFound): the server could not find the requested resource", { code: 1 }],
    [["delete", "ws", "nope"], 'Error from server (NotFound): workspaces.vendetta.dev "nope" not found', { code: 1 }],
    [["get", "ws", "-n", "nowhere"], "No resources found in nowhere namespace."],
    [["create", "-f", "-"], 'Error from server (AlreadyExists): error when creating "STDIN": workspaces.vendetta.dev "dev" already exists', { code: 1, stdin: manifest("dev") }],
    [["create", "-n", "nowhere", "-f", "-"], 'Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found', { code: 1, stdin: manifest("dev") }],
    [["create", "-f", "-"], 'The Workspace "new" is invalid: spec.provider: must be one of docker, lxc, qemu, host; found "vmware"', { code: 1, stdin: manifest("new", "{provider: vmware, image: x}") }],
    [["patch", "ws", "dev", "--type=merge", "-p", '{"spec":{"provider":"lxc","ports":[{"port":0}]}}'], /^The Workspace "dev" is invalid: spec\.ports\[0\]\.port: 0 must be between 1 and 65535/, { code: 1 }],
    [["create", "-f", "-"], /^Error from server \(BadRequest\): error when creating "STDIN": Workspace in version "v1alpha1" cannot be handled as a Workspace: strict decoding error: unknown field "spec\.imag"/, { code: 1, stdin: manifest("new", "{provider: host, imag: x}"), minorMin: 32 }],
    [["create", "--validate=warn", "--dry-run=server", "-f", "-"], /^workspace\.vendetta\.dev\/new created \(server dry run\)\nWarning: unknown field "spec\.imag"$/, { stdin: manifest("new", "{provider: host, imag: x}"), minorMin: 32 }],
    [["apply", "-f", "-"], 'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "Workspace" in version "vendetta.dev/v9"\nensure CRDs are installed first', { code: 1, stdin: manifest("x", "{}", "Workspace", "vendetta.dev/v9"), minorMin: 32 }],
    [["create", "-f", "-"], 'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "Gadget" in version "vendetta.dev/v1alpha1"\nensure CRDs are installed first', { code: 1, stdin: manifest("x", "{}", "Gadget"), minorMin: 32 }],
    [["apply", "-f", "-"], /^error: error parsing STDIN: error converting YAML to JSON/, { code: 1, stdin: "a: [" }],
    [["create", "--raw", "/apis/vendetta.dev/v1alpha1/namespaces/default/workspaces", "-f", "-"], /^Error from server \(BadRequest\): Cannot read the request's body as JSON/, { code: 1, stdin: "{" }],
    [["replace", "--raw", "/apis/vendetta.dev/v1alpha1/namespaces/default/workspaces/dev", "-f", "-"], "Error from server (BadRequest): the name of the object (other) does not match the name on the URL (dev)", { code: 1, stdin: '{"apiVersion":"vendetta.dev/v1alpha1","kind":"Workspace","metadata":{"name":"other"},"spec":{"provider":"host"}}' }],
    [["create", "--raw", "/apis/vendetta.dev/v1alpha1/namespaces/default/workspaces", "-f", "-"], /^Error from server \(BadRequest\): the namespace of the provided object does not match the namespace sent on the request/, { code: 1, stdin: '{"apiVersion":"vendetta.dev/v1alpha1","kind":"Workspace","metadata":{"name":"x","namespace":"other"},"spec":{"provider":"host"}}' }],
    [["replace", "-f", "-"], /^Error from server \(Conflict\): error when replacing "STDIN": Operation cannot be fulfilled on workspaces\.vendetta\.dev "dev": the object has been modified; please apply your changes to the latest version and try again$/, { code: 1, stdin: manifest("dev").replace("{name: dev,", '{name: dev, resourceVersion: "1",') }],
    [["delete", "crd", "nodes.vendetta.dev"], "Error from server (MethodNotAllowed): the server does not allow this method on the requested resource", { code: 1 }],
    [["get", "ws", "-l", "a in"], /^Error from server \(BadRequest\): Unable to find "vendetta\.dev\/v1alpha1, Resource=workspaces" that match label selector "a in", field selector "": Cannot parse label selector/, { code: 1 }],
    [["get", "ws", "--field-selector", "spec.image=x"], /^Error from server \(BadRequest\): Unable to find "vendetta\.dev\/v1alpha1, Resource=workspaces" that match label selector "", field selector "spec\.image=x": field label not supported: spec\.image/, { code: 1 }],
  ]);

  rows("of writes that read the schemas", [
    [["apply", "-f", "-"], "workspace.vendetta.dev/applied created", { stdin: manifest("applied") }],
    [["apply", "-f", "-"], "workspace.vendetta.dev/applied unchanged", { stdin: manifest("applied") }],
    [["diff", "-f", "-"], /^[-]  image: node:20\n[+]  image: node:22$/m, { code: 1, stdin: manifest("applied", "{provider: docker, image: node:22}") }],
    [["apply", "-f", "-"], "workspace.vendetta.dev/applied configured", { stdin: manifest("applied", "{provider: docker, image: node:22}") }],
    [["edit", "ws", "applied"], "workspace.vendetta.dev/applied edited", { env: { EDITOR: "sed -i s/node:22/node:24/" } }],
    [["get", "ws", "applied", "-o", "jsonpath={.spec.image}"], "node:24"],
    [["apply", "--prune", "-l", "app=pruned", "--prune-allowlist=vendetta.dev/v1alpha1/Workspace", "-f", "-"], "workspace.vendetta.dev/pruned created", { stdin: manifest("pruned"), minorMin: 32 }],
  ]);

  it("kubectl get -w: what is there, what comes, and what leaves the selector", async () => {
    const watching = kubectl.start(["get", "ws", "-w", "-l", "app in (test,later)", "--output-watch-events"]);
    const lines = () => watching.said().trim().split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "));
    try {
      await eventually(() => assert.deepEqual(lines(), ["EVENT NAME", "ADDED test"]), 20_000);
      const { store } = kubectl.server;
      const made = await store.create("Workspace", { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: "later", namespace: "default", labels: { app: "later" } }, spec: { provider: "host" } as never });
      await store.update("Workspace", { ...made, metadata: { ...made.metadata, labels: { app: "gone" } } });
      await eventually(() => assert.deepEqual(lines(), ["EVENT NAME", "ADDED test", "ADDED later", "DELETED later"]), 20_000);
    } finally {
      await watching.end();
    }
  });
});
