import { parseLabelSelector } from "../api/label-selector.ts";
import { parseFieldSelector } from "../api/selectors.ts";
import { StatusError } from "../api/status-error.ts";
import type { KindDefinition } from "../api/kind.ts";
import type { Selection } from "../store/store.ts";

/** Typed reads of a request's query. Every method throws StatusError BadRequest on a value that cannot be read. */
export class Query {
  readonly #params: URLSearchParams;
  constructor(url: string) {
    this.#params = new URL(url).searchParams;
  }

  /** The value; an empty one counts as absent, as in Kubernetes. */
  text(name: string): string | undefined {
    return this.#params.get(name) || undefined;
  }

  flag(name: string): boolean {
    const value = this.#params.get(name);
    if (value === null || value === "false" || value === "0") return false;
    if (value === "true" || value === "1" || value === "") return true;
    throw refused(name, value, "true or false");
  }

  /** undefined when absent: where that differs from false. */
  choice(name: string): boolean | undefined {
    return this.#params.has(name) ? this.flag(name) : undefined;
  }

  count(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,9}$/.test(value)) throw refused(name, value, "a whole number");
    return Number(value);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = values.find((each) => each === value);
    if (found === undefined) throw refused(name, value, `one of ${values.join(", ")}`);
    return found;
  }

  resourceVersion(): string | undefined {
    const value = this.text("resourceVersion");
    if (value !== undefined && !/^\d{1,20}$/.test(value)) throw refused("resourceVersion", value, "the resourceVersion of a list or an object");
    return value;
  }

  /** Whether to store nothing. */
  dryRun(): boolean {
    for (const value of this.#params.getAll("dryRun")) if (value !== "" && value !== "All") throw refused("dryRun", value, "All");
    return this.text("dryRun") === "All";
  }

  selection(kind: Pick<KindDefinition<never>, "selectableFields">, namespace: string | undefined): Selection {
    const labels = this.text("labelSelector");
    const fields = this.text("fieldSelector");
    return {
      namespace,
      labels: labels === undefined ? undefined : parseLabelSelector(labels),
      fields: fields === undefined ? undefined : parseFieldSelector(fields, ["metadata.name", "metadata.namespace", ...kind.selectableFields]),
    };
  }
}

function refused(name: string, value: string, expected: string): StatusError {
  return new StatusError("BadRequest", `Cannot read the query's ${name}: expected ${expected}, found ${JSON.stringify(value.slice(0, 100))}`);
}
