/**
 * What a test file says of how it wants to be run, in lines of its own at its top, with an empty line after them:
 *
 *     // Test run: about 110 s.
 *     // Test run: alone, since it measures what it takes from the whole machine.
 *     // Test run: beside all others, since it does nothing but wait.
 *
 * A file that says nothing is a short one that may run beside any other.
 */
export interface RunWish {
  /** So long it takes on an idle machine; those that take longest are begun first. */
  readonly seconds: number;
  /** `shared`: in one of the lanes. `beside`: from the start and in no lane. `alone`: when all lanes are empty. */
  readonly lane: "shared" | "beside" | "alone";
}

/** What a file counts as that does not say how long it takes. */
export const secondsUnsaid = 15;

const lanes: ReadonlyMap<string, RunWish["lane"]> = new Map([
  ["alone", "alone"],
  ["beside all others", "beside"],
]);

/** @throws when a line that begins as a wish is none: it would go unheard */
export function parseRunWish(text: string): RunWish {
  let wish: RunWish = { seconds: secondsUnsaid, lane: "shared" };
  for (const [line, said] of text.matchAll(/^\/\/ Test run: *(.*)$/gm)) {
    const seconds = /^about (\d+) s\.$/.exec(said!)?.[1];
    const lane = lanes.get(/^(.+?), since .+\.$/.exec(said!)?.[1] ?? "");
    if (seconds === undefined && lane === undefined) throw new Error(`Cannot read "${line}": say "about N s." or, with the reason, one of "${[...lanes.keys()].map((each) => `${each}, since ….`).join('", "')}"`);
    wish = { seconds: seconds === undefined ? wish.seconds : Number(seconds), lane: lane ?? wish.lane };
  }
  return wish;
}
