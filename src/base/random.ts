/** Randomness, handed in, so that a seed reproduces a whole run. The real one lives in `system.ts`. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** An RFC 9562 version 4 UUID, lower case. */
  uuid(): string;
}

/** A small seeded generator (mulberry32). Good for simulation and tests; never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join("");
  const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-${"89ab"[Math.floor(next() * 4)]}${hex(3)}-${hex(12)}`;
  return { next, uuid };
}
