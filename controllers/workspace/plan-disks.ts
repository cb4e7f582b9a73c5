import type { DiskSizes, Instance } from "../../src/providers/provider.ts";

export interface GrowDisksStep {
  readonly do: "growDisks";
  readonly sizes: DiskSizes;
  /** Which of them hold too little now, for people. */
  readonly what: string;
}

/** What is to be done about disks that hold less than is wished. One that holds more stays as it is: an engine may give more, and none takes away. Pure. */
export function planDisks(wish: DiskSizes | undefined, { disks }: Instance): GrowDisksStep | undefined {
  if (wish === undefined || disks === undefined) return undefined;
  const small: string[] = [];
  if (isLess(disks.own, wish.own)) small.push("its disk");
  for (const [name, bytes] of Object.entries(wish.more)) if (isLess(disks.more[name], bytes)) small.push(`disk ${name}`);
  return small.length === 0 ? undefined : { do: "growDisks", sizes: wish, what: small.join(", ") };
}

const isLess = (now: number | undefined, wished: number | undefined) => now !== undefined && wished !== undefined && now < wished;
