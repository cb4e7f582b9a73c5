import type { AnyObject, KindName } from "../api/registry.ts";
import type { Service } from "../api/service.ts";

/** Code-unit order, as the list order of the Store contract. */
export function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Objects of one kind in one namespace. */
class Room {
  readonly objects = new Map<string, AnyObject>();
  /** Made when a list asks; dropped when a name comes or goes. Updates, the common write, keep it. */
  #sorted: readonly string[] | undefined;

  get sortedNames(): readonly string[] {
    return (this.#sorted ??= [...this.objects.keys()].sort(compareCodeUnits));
  }

  put(name: string, object: AnyObject): void {
    if (!this.objects.has(name)) this.#sorted = undefined;
    this.objects.set(name, object);
  }

  remove(name: string): void {
    this.objects.delete(name);
    this.#sorted = undefined;
  }
}

/**
 * Objects by kind, namespace and name. Getting and putting cost the same however many there are; listing a namespace
 * costs what that namespace holds.
 */
export class ObjectTable {
  readonly #rooms = new Map<KindName, Map<string, Room>>();
  /** Services by `namespace/workspace`: what the port rule of admission has to look at. */
  readonly #servicesIn = new Map<string, Map<string, Service>>();

  get(kind: KindName, namespace: string, name: string): AnyObject | undefined {
    return this.#rooms.get(kind)?.get(namespace)?.objects.get(name);
  }

  /** Namespaces that hold objects of the kind, in order. */
  namespaces(kind: KindName): readonly string[] {
    return [...(this.#rooms.get(kind)?.keys() ?? [])].sort(compareCodeUnits);
  }

  /** Names of one namespace, in order. */
  names(kind: KindName, namespace: string): readonly string[] {
    return this.#rooms.get(kind)?.get(namespace)?.sortedNames ?? [];
  }

  servicesIn(namespace: string, workspace: string): Iterable<Service> {
    return this.#servicesIn.get(`${namespace}/${workspace}`)?.values() ?? [];
  }

  /** Everything, in no particular order: one pass over references, cheap enough to be taken between two writes. */
  all(): AnyObject[] {
    const objects: AnyObject[] = [];
    for (const rooms of this.#rooms.values()) for (const room of rooms.values()) for (const object of room.objects.values()) objects.push(object);
    return objects;
  }

  put(kind: KindName, namespace: string, name: string, object: AnyObject): void {
    let rooms = this.#rooms.get(kind);
    if (rooms === undefined) this.#rooms.set(kind, (rooms = new Map<string, Room>()));
    let room = rooms.get(namespace);
    if (room === undefined) rooms.set(namespace, (room = new Room()));
    this.#unindex(namespace, name, room.objects.get(name));
    room.put(name, object);
    this.#index(namespace, name, object);
  }

  remove(kind: KindName, namespace: string, name: string): void {
    const rooms = this.#rooms.get(kind);
    const room = rooms?.get(namespace);
    if (rooms === undefined || room === undefined) return;
    this.#unindex(namespace, name, room.objects.get(name));
    room.remove(name);
    if (room.objects.size === 0) rooms.delete(namespace);
  }

  #index(namespace: string, name: string, object: AnyObject): void {
    if (object.kind !== "Service") return;
    const key = `${namespace}/${object.spec.workspace}`;
    let services = this.#servicesIn.get(key);
    if (services === undefined) this.#servicesIn.set(key, (services = new Map<string, Service>()));
    services.set(name, object);
  }

  #unindex(namespace: string, name: string, object: AnyObject | undefined): void {
    if (object?.kind !== "Service") return;
    const key = `${namespace}/${object.spec.workspace}`;
    const services = this.#servicesIn.get(key);
    services?.delete(name);
    if (services?.size === 0) this.#servicesIn.delete(key);
  }
}
