import { adoptClientSide } from "../../src/api/apply/adopt-client-side.ts";
import { noFields, union } from "../../src/api/apply/field-set.ts";
import { decodeManagers, encodeManagers, type Manager } from "../../src/api/apply/managers.ts";
import { apiVersionOf, type KindDefinition } from "../../src/api/kind.ts";
import { kinds, type AnyObject } from "../../src/api/registry.ts";
import { managerOf } from "./wanted.ts";

/**
 * The managedFields of an object after a Source has taken over what others applied: client-side apply and other Sources. Until then the fields
 * have owners who never let go, and what the manifest does not name could not go.
 * @returns undefined when there is nothing to take over
 */
export function takenOver({ kind, metadata: { managedFields = [] } }: AnyObject, source: string): readonly object[] | undefined {
  const apiVersion = apiVersionOf(kinds[kind] as KindDefinition<never>);
  const manager = managerOf(source);
  const adopted = adoptClientSide(managedFields, manager, apiVersion);
  const managers = decodeManagers(adopted ?? managedFields, apiVersion) ?? [];
  const isSource = ({ name, operation, subresource }: Manager) => operation === "Apply" && subresource === "" && name.startsWith(managerOf(""));
  const others = managers.filter((each) => isSource(each) && each.name !== manager);
  if (others.length === 0) return adopted;
  const own = managers.find((each) => isSource(each) && each.name === manager);
  const merged: Manager = { ...(own ?? others[0]!), name: manager, fields: [...others, ...(own === undefined ? [] : [own])].map(({ fields }) => fields).reduce(union, noFields) };
  return encodeManagers([...managers.filter((each) => each !== own && !others.includes(each)), merged]);
}
