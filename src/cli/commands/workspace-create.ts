import { isAbsolute, resolve } from "node:path";
import type { ObjectInput } from "../../api/meta.ts";
import type { Workspace } from "../../api/workspace.ts";
import { durationArgument } from "../duration-argument.ts";
import { withLocalPaths } from "../../manifests/local-paths.ts";
import type { Session } from "../session.ts";
import { waitUntilSettled } from "../wait-until-settled.ts";
import { CliError } from "../world.ts";

export interface WorkspaceCreateOptions {
  readonly provider?: string | undefined;
  readonly image?: string | undefined;
  readonly node?: string | undefined;
  readonly workdir?: string | undefined;
  /** `NAME=VALUE` each. */
  readonly env?: readonly string[] | undefined;
  /** `SOURCE:PATH` or `SOURCE:PATH:ro` each. */
  readonly mount?: readonly string[] | undefined;
  /** `PORT` or `PORT:NODEPORT` each. */
  readonly publish?: readonly string[] | undefined;
  readonly cpu?: string | undefined;
  readonly memory?: string | undefined;
  readonly timeout?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Writes a manifest for whoever has none, stores it, and waits until the Workspace is Ready. */
export async function workspaceCreate(session: Session, name: string, options: WorkspaceCreateOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "120s");
  const manifest = manifestOf(name, session.namespace, options);
  if (options.dryRun === true) return await printChecked(session, manifest);
  const store = await session.connect();
  // Defaults are filled in by the store.
  const { kind, metadata } = await store.create("Workspace", manifest as unknown as ObjectInput<Workspace>);
  session.print(`workspace.vendetta.dev/${name} created`);
  try {
    await waitUntilSettled(session, store, [{ kind, namespace: metadata.namespace, name }], timeoutMs);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    // It may only be slow, and what has failed can be looked into; so it is not taken away here.
    const room = metadata.namespace === undefined || metadata.namespace === "default" ? "" : ` -n ${metadata.namespace}`;
    throw new CliError(`${error.message}; 'vendetta workspace rm ${name}${room}' removes it`, { cause: error });
  }
}

/** The manifest as YAML, once it is known to be one that the server takes. @throws CliError */
async function printChecked({ world }: Session, manifest: object): Promise<void> {
  const [{ stringify }, { yamlOptions }, { parseObject }, { StatusError }] = await Promise.all([import("yaml"), import("../output.ts"), import("../../api/validate.ts"), import("../../api/status-error.ts")]);
  try {
    parseObject("Workspace", manifest);
  } catch (error) {
    // No server has said it.
    throw error instanceof StatusError ? new CliError(error.message, { cause: error }) : error;
  }
  world.stdout.write(stringify(manifest, yamlOptions));
}

function manifestOf(name: string, namespace: string, { provider, image, node, workdir, env = [], mount = [], publish = [], cpu, memory }: WorkspaceCreateOptions): object {
  if (provider === undefined && image === undefined) throw new CliError("say what it is made from: --image IMAGE for a container, or --provider host for plain processes without isolation");
  const given = (fields: object) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && Object.keys(value as object | string).length > 0));
  return {
    apiVersion: "vendetta.dev/v1alpha1",
    kind: "Workspace",
    metadata: { name, namespace },
    spec: withLocalPaths(given({
      provider: provider ?? "docker", image, nodeName: node, workingDir: workdir,
      env: Object.fromEntries(env.map(variableOf)), mounts: mount.map(mountOf), ports: publish.map(portOf), resources: given({ cpu, memory }),
    }), process.cwd()),
  };
}

function variableOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new CliError(`--env: "${text}" is not NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A source with a slash, or that begins with a dot, is a directory; another word is the name of a volume. */
function mountOf(text: string): object {
  const [source, path, mode, ...rest] = text.split(":");
  if (!source || !path || rest.length > 0 || (mode !== undefined && mode !== "ro")) throw new CliError(`--mount: "${text}" is not SOURCE:PATH, nor SOURCE:PATH:ro; SOURCE is a directory such as ./src, or a word that names a volume`);
  return { path, ...(source.includes("/") || source.startsWith(".") ? { hostPath: isAbsolute(source) ? resolve(source) : source } : { volume: source }), ...(mode === "ro" ? { readOnly: true } : {}) };
}

function portOf(text: string): object {
  const [, port, nodePort] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (port === undefined) throw new CliError(`--publish: "${text}" is not PORT, nor PORT:NODEPORT`);
  return { port: Number(port), ...(nodePort === undefined ? {} : { nodePort: Number(nodePort) }) };
}
