import { StatusError } from "./status-error.ts";

/** One step of a path. Each maps a list of values to a list of values. */
type Step =
  | { readonly type: "field"; readonly names: readonly string[] }
  | { readonly type: "descend" }
  | { readonly type: "all" }
  | { readonly type: "slice"; readonly from: number | undefined; readonly to: number | undefined; readonly by: number }
  | { readonly type: "indices"; readonly indices: readonly number[] }
  | { readonly type: "filter"; readonly left: Operand; readonly operator: Operator | undefined; readonly right: Operand | undefined };

type Operator = "==" | "!=" | "<=" | ">=" | "<" | ">";
type Operand = { readonly type: "path"; readonly fromRoot: boolean; readonly steps: readonly Step[] } | { readonly type: "literal"; readonly value: string | number | boolean | null };

/** A parsed path. Evaluating it never throws: what is not there gives no value. */
export type JsonPath = (root: unknown) => readonly unknown[];

/** Longest path read, in characters. */
const pathLengthMax = 4096;
/** Most values a recursive descent visits. */
const valuesMax = 1_000_000;

/**
 * Parses a JSONPath as Kubernetes writes it: `.spec.image`, `$.items[*].metadata.name`, `['a','b']`, `[0]`, `[-1]`,
 * `[0:2]`, `..name`, `.metadata.annotations.example\.com/note`, `[?(@.type=="Ready")].status`. With or without the
 * braces `{}` around it. Source: kubernetes.io "JSONPath Support", k8s.io/client-go/util/jsonpath.
 * @throws StatusError BadRequest, naming the place that cannot be read
 */
export function parseJsonPath(text: string): JsonPath {
  const trimmed = text.trim();
  const inner = trimmed.startsWith("{") && trimmed.endsWith("}") ? trimmed.slice(1, -1).trim() : trimmed;
  const reader = new Reader(inner);
  const { steps } = reader.path("end");
  return (root) => evaluate(steps, [root], root);
}

class Reader {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
    if (text.length > pathLengthMax) throw new StatusError("BadRequest", `Cannot parse JSONPath: it is longer than ${pathLengthMax} characters`);
  }

  #fail(why: string): StatusError {
    return new StatusError("BadRequest", `Cannot parse JSONPath "${this.#text}": ${why} at character ${this.#at + 1}`);
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#fail(`expected "${token}"`);
  }

  /** `until`: "end" reads the whole text; "operand" stops where a filter goes on. */
  path(until: "end" | "operand"): { readonly fromRoot: boolean; readonly steps: readonly Step[] } {
    const steps: Step[] = [];
    const fromRoot = this.#take("$");
    if (!fromRoot) this.#take("@");
    else if (until === "end") this.#skipBlanks();
    // kubectl takes "metadata.name" for ".metadata.name".
    if (until === "end" && !fromRoot && this.#at === 0 && /[A-Za-z_]/.test(this.#text[0] ?? "")) steps.push(this.#name());
    for (;;) {
      if (this.#take("..")) {
        steps.push({ type: "descend" });
        if (this.#take("*")) steps.push({ type: "all" });
        else if (this.#text[this.#at] !== "[") steps.push(this.#name());
      } else if (this.#take(".")) {
        if (this.#take("*")) steps.push({ type: "all" });
        // "." alone is the value itself; ".[0]" is "[0]".
        else if (this.#text[this.#at] !== "[" && this.#at < this.#text.length) steps.push(this.#name());
      } else if (this.#take("[")) {
        steps.push(this.#bracket());
      } else break;
    }
    if (until === "end" && this.#at < this.#text.length) throw this.#fail(`unexpected "${this.#text[this.#at]}"`);
    return { fromRoot, steps };
  }

  #name(): Step {
    let name = "";
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === "\\" && this.#at + 1 < this.#text.length) {
        name += this.#text[this.#at + 1]!;
        this.#at += 2;
      } else if (/[\s.[\](){}=!<>,"'*?@$&|]/.test(char)) break;
      else {
        name += char;
        this.#at++;
      }
    }
    if (name === "") throw this.#fail("expected a field name");
    return { type: "field", names: [name] };
  }

  #bracket(): Step {
    this.#skipBlanks();
    if (this.#take("*")) return this.#closed({ type: "all" });
    if (this.#take("?(")) {
      const step = this.#filter();
      this.#expect(")");
      return this.#closed(step);
    }
    const quote = this.#text[this.#at];
    if (quote === "'" || quote === '"') {
      const names = [this.#quoted()];
      for (this.#skipBlanks(); this.#take(","); this.#skipBlanks()) {
        this.#skipBlanks();
        names.push(this.#quoted());
      }
      return this.#closed({ type: "field", names });
    }
    const first = this.#integer();
    this.#skipBlanks();
    if (this.#take(":")) {
      const to = this.#integer();
      const by = this.#take(":") ? this.#integer() : undefined;
      if (by !== undefined && by < 1) throw this.#fail("a slice's step must be 1 or more");
      return this.#closed({ type: "slice", from: first, to, by: by ?? 1 });
    }
    if (first === undefined) throw this.#fail("expected an index, a slice, a quoted name, * or ?(...)");
    const indices = [first];
    for (; this.#take(","); this.#skipBlanks()) {
      this.#skipBlanks();
      const next = this.#integer();
      if (next === undefined) throw this.#fail("expected an index");
      indices.push(next);
    }
    return this.#closed({ type: "indices", indices });
  }

  #closed<T extends Step>(step: T): T {
    this.#skipBlanks();
    this.#expect("]");
    return step;
  }

  #integer(): number | undefined {
    const match = /^-?\d{1,9}/.exec(this.#text.slice(this.#at, this.#at + 10));
    if (match === null) return undefined;
    this.#at += match[0].length;
    return Number(match[0]);
  }

  #quoted(): string {
    const quote = this.#text[this.#at];
    if (quote !== "'" && quote !== '"') throw this.#fail("expected a quoted name");
    this.#at++;
    let value = "";
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === undefined) throw this.#fail("a quote is not closed");
      if (char === quote) return value;
      value += char === "\\" && this.#at < this.#text.length ? this.#text[this.#at++]! : char;
    }
  }

  #filter(): Step {
    this.#skipBlanks();
    const left = this.#operand();
    this.#skipBlanks();
    const operator = (["==", "!=", "<=", ">=", "<", ">"] as const).find((each) => this.#take(each));
    if (operator === undefined) return { type: "filter", left, operator, right: undefined };
    this.#skipBlanks();
    const right = this.#operand();
    this.#skipBlanks();
    return { type: "filter", left, operator, right };
  }

  #operand(): Operand {
    const char = this.#text[this.#at];
    if (char === "'" || char === '"') return { type: "literal", value: this.#quoted() };
    if (char === "@" || char === "$" || char === ".") return { type: "path", ...this.path("operand") };
    const match = /^(true|false|null|-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)(?=[\s)=!<>]|$)/.exec(this.#text.slice(this.#at));
    if (match === null) throw this.#fail("expected @.path, a quoted text, a number, true, false or null");
    this.#at += match[0].length;
    return { type: "literal", value: JSON.parse(match[1]!) as number | boolean | null };
  }
}

function evaluate(steps: readonly Step[], values: readonly unknown[], root: unknown): readonly unknown[] {
  let current = values;
  for (const step of steps) current = current.flatMap((value) => apply(step, value, root));
  return current;
}

function apply(step: Step, value: unknown, root: unknown): readonly unknown[] {
  if (step.type === "descend") return descendants(value);
  if (typeof value !== "object" || value === null) return [];
  switch (step.type) {
    case "field":
      if (Array.isArray(value)) return [];
      return step.names.filter((name) => Object.hasOwn(value, name)).map((name) => (value as Record<string, unknown>)[name]);
    case "all":
      return Array.isArray(value) ? value : Object.values(value);
    case "indices":
      return Array.isArray(value) ? step.indices.flatMap((index) => inRange(value, index)) : [];
    case "slice":
      return Array.isArray(value) ? value.slice(step.from, step.to).filter((_, i) => i % step.by === 0) : [];
    case "filter":
      return (Array.isArray(value) ? value : Object.values(value)).filter((each: unknown) => holds(step, each, root));
  }
}

function inRange(list: readonly unknown[], index: number): readonly unknown[] {
  const at = index < 0 ? list.length + index : index;
  return at >= 0 && at < list.length ? [list[at]] : [];
}

/** The value and everything in it, parents first. Iterative: objects may be deep. */
function descendants(value: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const left = [value];
  while (left.length > 0 && found.length < valuesMax) {
    const next = left.pop();
    found.push(next);
    if (typeof next === "object" && next !== null) for (const each of Object.values(next).reverse()) left.push(each);
  }
  return found;
}

function holds(filter: Extract<Step, { type: "filter" }>, item: unknown, root: unknown): boolean {
  const valueOf = (operand: Operand) => (operand.type === "literal" ? operand.value : evaluate(operand.steps, [operand.fromRoot ? root : item], root)[0]);
  const left = valueOf(filter.left);
  if (filter.operator === undefined || filter.right === undefined) return left !== undefined;
  const right = valueOf(filter.right);
  if (filter.operator === "==") return left !== undefined && left === right;
  if (filter.operator === "!=") return left !== undefined && left !== right;
  const comparable = (typeof left === "number" && typeof right === "number") || (typeof left === "string" && typeof right === "string");
  if (!comparable) return false;
  switch (filter.operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

/** A value as kubectl prints it in a JSONPath's output: text bare, everything else as JSON. */
export function formatJsonPathValue(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}
