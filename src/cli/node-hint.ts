import { findCondition } from "../api/conditions.ts";
import type { Node } from "../api/node.ts";
import { jumpsName, machineName } from "./node-reach.ts";

/** What to do about a Node that is not Ready, where a command can do something; undefined when none can. */
export function nodeHint({ metadata: { name }, spec, status }: Node): string | undefined {
  const ready = findCondition(status?.conditions, "Ready");
  if (spec.ssh === undefined || ready === undefined || ready.status === "True") return undefined;
  switch (ready.reason) {
    case "HostKeyChanged":
      return `make sure that it is the machine, then 'vendetta node trust ${name}'`;
    case "AuthenticationFailed":
      return `put the cluster's key there again: 'vendetta node add ${machineName(spec.ssh)}${spec.ssh.jump === undefined ? "" : ` --jump ${jumpsName(spec.ssh)}`}'`;
    case "Unreachable":
      return `it is tried again and again; if the machine is gone for good, 'vendetta node forget ${name}'`;
    default:
      return undefined;
  }
}
