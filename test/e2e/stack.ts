import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Condition } from "../../src/api/conditions.ts";
import type { Service } from "../../src/api/service.ts";

/** An HTTP server in busybox's own words: answers on $PORT, ends on SIGTERM, tells both in its log, and its end in $STOPS. */
export const httpd = (name: string) => `
mkdir -p /tmp/${name} && echo "${name} answers" > /tmp/${name}/index.html
trap 'echo ${name} >> "\${STOPS:-/dev/null}"; echo stopping; kill $child; exit 0' TERM
httpd -f -p "$PORT" -h /tmp/${name} & child=$!
echo started; wait $child; wait $child`;

export interface StackOptions {
  readonly image?: string;
  readonly provider?: "docker" | "host";
  readonly workspace?: string;
  /** First of three ports. */
  readonly port?: number;
  /** Directory of the node in which the file `order` gets a line from each server as it is told to stop. */
  readonly stopsDir?: string;
}

/** db → api → web, each healthy over HTTP, and a worker that depends on api. As manifests. */
export function stackManifests({ image = "busybox:test", provider = "docker", workspace = "stack", port = 8001, stopsDir }: StackOptions = {}): object[] {
  const service = (name: string, spec: object) => ({
    apiVersion: "vendetta.dev/v1alpha1", kind: "Service", metadata: { name: `${workspace}-${name}` },
    spec: { workspace, ...spec },
  });
  const web = (name: string, at: number, ...dependsOn: string[]) =>
    service(name, { command: ["sh", "-c", httpd(name)], port: at, dependsOn: dependsOn.map((each) => ({ name: `${workspace}-${each}` })), healthCheck: { http: { path: "/" } } });
  const stops = stopsDir === undefined ? {} : { mounts: [{ path: "/stops", hostPath: stopsDir }], env: { STOPS: "/stops/order" } };
  return [
    { apiVersion: "vendetta.dev/v1alpha1", kind: "Workspace", metadata: { name: workspace }, spec: { provider, ...(provider === "docker" ? { image } : {}), ...stops } },
    web("db", port),
    web("api", port + 1, "db"),
    web("web", port + 2, "api"),
    service("worker", { command: ["sh", "-c", "while :; do echo working; sleep 1; done"], dependsOn: [{ name: `${workspace}-api` }] }),
  ];
}

/** Writes manifests as one multi-document YAML file, which kubectl reads too, and answers its path. */
export function writeManifests(folder: string, name: string, manifests: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, manifests.map((each) => stringify(each)).join("---\n"));
  return path;
}

export function conditionOf(service: Service, type: string): Condition {
  const found = service.status?.conditions?.find((each) => each.type === type);
  if (found === undefined) throw new Error(`${service.metadata.name} has no condition ${type}: ${JSON.stringify(service.status)}`);
  return found;
}
