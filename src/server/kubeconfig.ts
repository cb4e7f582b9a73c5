import { parse, stringify } from "yaml";
import { isFields } from "../base/fields.ts";

/** One way to the server, for clients of Kubernetes. */
export interface KubeconfigEntry {
  /** `https://127.0.0.1:6440` */
  readonly server: string;
  /** PEM. */
  readonly authorityCertificate: string;
  readonly token: string;
}

const clusterName = "vendetta";
const userName = "vendetta-admin";
const contextName = "vendetta";

/**
 * The text of a kubeconfig (client.authentication v1 Config) with our cluster, user and context in it. What somebody added
 * to the one before stays: `kubectl config set-context --current --namespace=…` writes there. One that cannot be read is
 * replaced.
 */
export function kubeconfigText(before: string | undefined, { server, authorityCertificate, token }: KubeconfigEntry): string {
  const found = before === undefined ? {} : readConfig(before);
  const context = named(found["contexts"]).find(({ name }) => name === contextName)?.["context"];
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    ...found,
    clusters: withEntry(found["clusters"], { name: clusterName, cluster: { server, "certificate-authority-data": Buffer.from(authorityCertificate).toString("base64") } }),
    users: withEntry(found["users"], { name: userName, user: { token } }),
    contexts: withEntry(found["contexts"], { name: contextName, context: { namespace: "default", ...(isFields(context) ? context : {}), cluster: clusterName, user: userName } }),
    "current-context": typeof found["current-context"] === "string" && found["current-context"] !== "" ? found["current-context"] : contextName,
  }, { lineWidth: 0 });
}

type Entry = Readonly<Record<string, unknown>> & { readonly name: unknown };

function withEntry(list: unknown, entry: Entry): readonly Entry[] {
  return [entry, ...named(list).filter(({ name }) => name !== entry.name)];
}

function named(list: unknown): readonly Entry[] {
  return Array.isArray(list) ? list.filter((each): each is Entry => isFields(each) && typeof each["name"] === "string") : [];
}

function readConfig(text: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = parse(text, { maxAliasCount: 0 });
    return isFields(found) && found["kind"] === "Config" ? found : {};
  } catch {
    // No YAML: nothing of it can be kept.
    return {};
  }
}
