import { parseJsonPath, formatJsonPathValue } from "../../api/jsonpath.ts";
import { StatusError } from "../../api/status-error.ts";
import type { AnyObject } from "../../api/registry.ts";
import { qualifiedResource } from "../../api/kind.ts";
import { kindPaths } from "../../api/paths.ts";
import { notFound } from "../../api/status-error.ts";
import { awaitObjects, type AwaitTarget } from "../await-objects.ts";
import { durationArgument } from "../duration-argument.ts";
import { resourceArgs, resourceName } from "../kind-words.ts";
import { hasCondition, type Verdict } from "../readiness.ts";
import { selectionOf, type SelectorOptions } from "../selector-options.ts";
import type { Session } from "../session.ts";
import { printable } from "../style.ts";
import { CliError, ExitError } from "../world.ts";
import { roomOf } from "./get.ts";

export interface WaitOptions extends SelectorOptions {
  readonly all?: boolean | undefined;
  readonly allNamespaces?: boolean | undefined;
  readonly for: string;
  readonly timeout?: string | undefined;
}

interface Wish {
  readonly judge: (object: AnyObject | undefined) => Verdict;
  readonly gone: boolean;
}

export async function wait(session: Session, args: readonly string[], options: WaitOptions): Promise<void> {
  const timeoutMs = durationArgument(options.timeout ?? "30s");
  const wish = wishOf(options.for);
  const { kinds, named } = resourceArgs(args);
  if (named.length === 0 && options.all !== true && options.selector === undefined && options.fieldSelector === undefined) throw new CliError("say which ones: names, -l SELECTOR or --all");
  const store = await session.connect();
  let targets: readonly AwaitTarget[];
  if (named.length > 0) {
    targets = named.map(({ kind, name }) => ({ kind, namespace: roomOf(session, kind), name }));
    if (!wish.gone) for (const target of targets) await store.get(target.kind, target);
  } else {
    const lists = await Promise.all(kinds.map((kind) => store.list(kind, selectionOf(roomOf(session, kind, options.allNamespaces), options))));
    targets = lists.flatMap(({ items }): AwaitTarget[] => items.map(({ kind, metadata }) => ({ kind, namespace: metadata.namespace, name: metadata.name })));
    if (targets.length === 0 && !wish.gone) throw new CliError("no matching resources found");
  }
  const told = new Set<AwaitTarget>();
  const states = await awaitObjects(store, targets, {
    clock: session.world.clock,
    timeoutMs,
    signal: session.signal,
    judge: (object) => wish.judge(object),
    onChange(now) {
      for (const { target, verdict } of now) {
        if (!verdict.done || told.has(target)) continue;
        told.add(target);
        session.print(`${resourceName(target.kind)}/${target.name} ${wish.gone ? "deleted" : "condition met"}`);
      }
    },
  });
  const late = states.filter((each) => !each.verdict.done);
  if (late.length === 0) return;
  for (const { target, verdict } of late) {
    if (verdict.state === "NotFound") session.tell(`error: ${notFound(qualifiedResource(kindPaths[target.kind]), target.name).message}`);
    else session.tell(`error: timed out waiting for ${options.for} on ${kindPaths[target.kind].plural}/${target.name}: ${verdict.state}${verdict.message === "" ? "" : `: ${printable(verdict.message)}`}`);
  }
  throw new ExitError(1);
}

/** What --for asks. @throws CliError */
function wishOf(text: string): Wish {
  if (text === "delete") return { gone: true, judge: (object) => ({ done: object === undefined, state: object === undefined ? "Deleted" : "still there", message: "" }) };
  const condition = /^condition=([^=]+)(?:=(.+))?$/.exec(text);
  if (condition) return { gone: false, judge: (object) => hasCondition(object, condition[1]!, condition[2] ?? "True") };
  const path = /^jsonpath=(\{.*?\}|[^={][^=]*)(?:=(.*))?$/.exec(text);
  if (path) return pathWish(path[1]!, path[2]);
  throw new CliError(`--for "${text}" is not known; write --for=condition=Ready, --for=delete or --for=jsonpath='{.status.phase}'=Running`);
}

function pathWish(text: string, wanted: string | undefined): Wish {
  let path: ReturnType<typeof parseJsonPath>;
  try {
    path = parseJsonPath(text);
  } catch (error) {
    if (error instanceof StatusError) throw new CliError(`--for: ${error.message}`, { cause: error });
    throw error;
  }
  return {
    gone: false,
    judge(object) {
      if (object === undefined) return { done: false, state: "NotFound", message: "does not exist" };
      const [value] = path(object);
      const found = value === undefined || value === null ? undefined : formatJsonPathValue(value);
      return { done: wanted === undefined ? found !== undefined : found === wanted, state: found === undefined ? "no value" : `is ${found}`, message: "" };
    },
  };
}
