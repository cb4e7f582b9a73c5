/** Three numbers "10.64.7" of a network of 254 addresses. */
export type Subnet = string;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Private networks (RFC 1918) that home routers and Docker rarely take, in order of preference: first two numbers, from and to. */
const pools: readonly { readonly first: number; readonly seconds: readonly [number, number] }[] = [
  { first: 10, seconds: [64, 127] },
  { first: 172, seconds: [24, 31] },
  { first: 192, seconds: [168, 168] },
];

/**
 * A network that collides with no route and no address of the node. Begins to look at a place given by `seed` (any whole number),
 * so that it tends to be the same again and another cluster's is another.
 * @param routes what `ip -4 route show table all` and `ip -4 -o addr show` print
 */
export function chooseSubnet(routes: string, seed: number): Subnet | undefined {
  const taken = rangesIn(routes);
  for (const { first, seconds: [low, high] } of pools) {
    const count = (high - low + 1) * 256;
    for (let i = 0; i < count; i++) {
      const at = (seed + i) % count;
      const subnet = `${first}.${low + Math.floor(at / 256)}.${at % 256}`;
      const own = rangeOf(`${subnet}.0/24`)!;
      if (!taken.some((each) => each.from <= own.to && own.from <= each.to)) return subnet;
    }
  }
  return undefined;
}

function rangesIn(text: string): Range[] {
  return [...text.matchAll(/(?<![\d.])\d+\.\d+\.\d+\.\d+(?:\/\d+)?(?![\d.])/g)].map(([word]) => rangeOf(word)).filter((each) => each !== undefined).filter((each) => !(each.from === 0 && each.to === 0xffffffff));
}

function rangeOf(text: string): Range | undefined {
  const [address = "", bits = "32"] = text.split("/");
  const numbers = address.split(".").map(Number);
  if (numbers.length !== 4 || numbers.some((each) => !(each >= 0 && each <= 255)) || !(Number(bits) <= 32)) return undefined;
  const size = 2 ** (32 - Number(bits));
  const from = Math.floor(numbers.reduce((sum, each) => sum * 256 + each, 0) / size) * size;
  return { from, to: from + size - 1 };
}
