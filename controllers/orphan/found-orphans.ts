import type { ProviderName } from "../../src/providers/provider.ts";

/** An instance of our cluster whose Workspace is not in the store. */
export interface FoundOrphan {
  readonly provider: ProviderName;
  readonly instanceId: string;
  /** Of the Workspace it was made for. */
  readonly namespace: string;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
}

/** What the engine watch found, for the Node's status to tell. A note of the last look, not a record: it is found again. */
export interface FoundOrphans {
  of(nodeName: string): readonly FoundOrphan[];
  /** `onChange` is called when it is not what was found before. */
  found(nodeName: string, provider: ProviderName, orphans: readonly FoundOrphan[]): void;
}

export function createFoundOrphans(onChange: (nodeName: string) => void): FoundOrphans {
  const byNode = new Map<string, Map<ProviderName, readonly FoundOrphan[]>>();
  const idsOf = (orphans: readonly FoundOrphan[]) => orphans.map((each) => each.instanceId).sort().join(" ");
  return {
    of: (nodeName) => [...(byNode.get(nodeName)?.values() ?? [])].flat().sort((a, b) => a.firstSeen - b.firstSeen || (a.instanceId < b.instanceId ? -1 : 1)),
    found(nodeName, provider, orphans) {
      const providers = byNode.get(nodeName) ?? new Map<ProviderName, readonly FoundOrphan[]>();
      const before = providers.get(provider) ?? [];
      providers.set(provider, orphans);
      byNode.set(nodeName, providers);
      if (idsOf(before) !== idsOf(orphans)) onChange(nodeName);
    },
  };
}
