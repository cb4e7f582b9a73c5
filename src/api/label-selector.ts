import { StatusError } from "./status-error.ts";
import type { LabelRequirement, LabelSelector } from "./selectors.ts";

const keyPattern = /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const keyCharactersMax = 317;
const valuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const integerPattern = /^\d{1,18}$/;

/** A word, or one of the signs. Blanks only part them. */
interface Token {
  readonly text: string;
  readonly isWord: boolean;
}

const comparisons: Readonly<Record<string, "In" | "NotIn" | "Gt" | "Lt">> = { "=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt" };

/**
 * Parses `app=web,tier!=db,env in (a,b),zone notin (c),gpu,!spot,cores>4`.
 *
 * All of Kubernetes' grammar: blanks are free, a value may be empty (`a=`, `a in (,b)`, `a in ()`), `in` and `notin` are
 * words wherever an operator cannot stand, and nothing but the whole text selects everything.
 * Source: k8s.io/apimachinery/pkg/labels, grammar of Parse.
 * @throws StatusError BadRequest, with the part that cannot be read
 */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = tokensOf(text);
  let at = 0;
  const refuse = (why: string) => new StatusError("BadRequest", `Cannot parse label selector ${JSON.stringify(text.slice(0, 1000))}: ${why}; write it like app=web,tier in (a,b),!legacy`);
  const found = () => (at < tokens.length ? JSON.stringify(tokens[at]!.text) : "its end");
  const isSign = (sign: string) => at < tokens.length && !tokens[at]!.isWord && tokens[at]!.text === sign;
  const atEnd = () => at === tokens.length || isSign(",");
  const word = (what: string): string => {
    if (at === tokens.length || !tokens[at]!.isWord) throw refuse(`found ${found()}, expected ${what}`);
    return tokens[at++]!.text;
  };
  const key = (): string => {
    const name = word("a label key");
    if (!keyPattern.test(name) || name.length > keyCharactersMax) throw refuse(`${JSON.stringify(name)} is not a label key`);
    return name;
  };
  const value = (): string => {
    const given = word("a label value");
    if (!valuePattern.test(given)) throw refuse(`${JSON.stringify(given)} is not a label value`);
    return given;
  };
  /** `(a,b)`: between the commas stand words or nothing. */
  const values = (): readonly string[] => {
    if (!isSign("(")) throw refuse(`found ${found()}, expected "("`);
    const list: string[] = [];
    do {
      at++;
      list.push(isSign(",") || isSign(")") ? "" : value());
    } while (isSign(","));
    if (!isSign(")")) throw refuse(`found ${found()}, expected "," or ")"`);
    at++;
    return list;
  };
  const requirement = (): LabelRequirement => {
    if (isSign("!")) {
      at++;
      return { key: key(), operator: "DoesNotExist" };
    }
    const of = key();
    if (atEnd()) return { key: of, operator: "Exists" };
    const operator = tokens[at]!;
    if (operator.isWord && (operator.text === "in" || operator.text === "notin")) {
      at++;
      return { key: of, operator: operator.text === "in" ? "In" : "NotIn", values: values() };
    }
    const compared = operator.isWord ? undefined : comparisons[operator.text];
    if (compared === undefined) throw refuse(`found ${found()}, expected one of =, ==, !=, in, notin, >, <`);
    at++;
    const given = atEnd() ? "" : value();
    if (compared === "In" || compared === "NotIn") return { key: of, operator: compared, values: [given] };
    if (!integerPattern.test(given)) throw refuse(`${JSON.stringify(given)} is not a whole number`);
    return { key: of, operator: compared, value: given };
  };

  const selector: LabelRequirement[] = [];
  while (at < tokens.length) {
    selector.push(requirement());
    if (at === tokens.length) break;
    if (!isSign(",")) throw refuse(`found ${found()}, expected "," or its end`);
    at++;
    if (at === tokens.length) throw refuse("found its end, expected a label key after \",\"");
  }
  return selector;
}

function tokensOf(text: string): readonly Token[] {
  return [...text.matchAll(/(==|!=|[=!(),<>])|[^\s=!(),<>]+/g)].map(([token, sign]) => ({ text: token, isWord: sign === undefined }));
}
