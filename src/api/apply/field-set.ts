/**
 * One step of a path, in the form FieldsV1 writes it: `f:<name>` a field, `k:<json>` the list item with these keys,
 * `v:<json>` the item of a set with this value, `i:<index>` an item by its place. The text is canonical (path-element.ts),
 * so that equal steps are equal strings.
 */
export type PathElement = string;

/** Fields of an object, as a tree: which are in the set, and which below them. Never changed once made; parts may be shared. */
export type FieldSet = ReadonlyMap<PathElement, FieldNode>;

export interface FieldNode {
  /** Whether the field itself is in the set. That of a container says nothing of what is in it. */
  readonly member: boolean;
  readonly below: FieldSet;
}

export const noFields: FieldSet = new Map<PathElement, FieldNode>();
/** A field that is in the set and has none below it. */
export const leafNode: FieldNode = { member: true, below: noFields };

/** Whether the node adds anything to a set. A set holds no other nodes. */
export function holdsFields({ member, below }: FieldNode): boolean {
  return member || below.size > 0;
}

/** The set of these nodes, without those that hold nothing. */
export function fieldSet(nodes: Iterable<readonly [PathElement, FieldNode]>): FieldSet {
  const set = new Map<PathElement, FieldNode>();
  for (const [element, node] of nodes) if (holdsFields(node)) set.set(element, node);
  return set;
}

/** What is in either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.size === 0) return b;
  if (b.size === 0) return a;
  const both = new Map(a);
  for (const [element, node] of b) {
    const other = both.get(element);
    both.set(element, other === undefined ? node : { member: other.member || node.member, below: union(other.below, node.below) });
  }
  return both;
}

/** What is in both. A container that is a member of one only stays out; what is below it is looked at all the same. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return fieldSet([...a].flatMap(([element, node]) => {
    const other = b.get(element);
    return other === undefined ? [] : [[element, { member: node.member && other.member, below: intersection(node.below, other.below) }] as const];
  }));
}

/** What is in `a` and not in `b`. Taking a container away leaves what is below it, as in sigs.k8s.io/structured-merge-diff. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (a.size === 0 || b.size === 0) return a;
  return fieldSet([...a].map(([element, node]) => {
    const other = b.get(element);
    return [element, other === undefined ? node : { member: node.member && !other.member, below: difference(node.below, other.below) }] as const;
  }));
}

export function isMember(set: FieldSet, element: PathElement): boolean {
  return set.get(element)?.member === true;
}

/** What is in the set below this step. */
export function fieldsBelow(set: FieldSet, element: PathElement): FieldSet {
  return set.get(element)?.below ?? noFields;
}

/** Every path in the set: those of a level first, then those below each of them, in the order the set has them. */
export function* pathsOf(set: FieldSet, prefix: readonly PathElement[] = []): Generator<readonly PathElement[]> {
  for (const [element, { member }] of set) if (member) yield [...prefix, element];
  for (const [element, { below }] of set) if (below.size > 0) yield* pathsOf(below, [...prefix, element]);
}

export function hasPath(set: FieldSet, path: readonly PathElement[]): boolean {
  const [first, ...rest] = path;
  if (first === undefined) return false;
  return rest.length === 0 ? isMember(set, first) : hasPath(fieldsBelow(set, first), rest);
}
