import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { newlineVariable, shQuote } from "../../src/base/sh-quote.ts";

/** Anything an argument can hold: all of Unicode but NUL, with what shells and their parsers care about made likely. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."'\"\\$`\n\r\t !*?~#;&|<>(){}[]-=%\u0001\u007f\u0081\u0088é日🐚", "$(id)", "\\n", "''", "'\\''", "EOF\n", "v_nl"), maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 60 }),
).map((each) => each.replaceAll("\0", ""));

/** How the control shell reads its requests: a line at a time, evaluated. */
const reader = `${newlineVariable}='\n'\nwhile IFS= read -r v_line; do eval "$v_line"; done`;

for (const [shell, ...words] of [["/usr/bin/dash"], ["/usr/bin/busybox", "sh"], ["/usr/bin/bash"], ["/usr/bin/bash", "--posix"]] as const) {
  const name = [shell, ...words].join(" ");
  describe(`shQuote through ${name}`, { skip: existsSync(shell) ? false : `${shell} is not installed` }, () => {
    // bash reads ~/.bashrc when its stdin is a socket, as it is here: whoever runs the tests may have much in it.
    const env = { PATH: process.env["PATH"], HOME: "/nonexistent" };
    const told = (requests: readonly string[]) => execFileSync(shell, [...words, "-c", reader], { env, input: Buffer.from(requests.join("")) }).toString("utf8").split("\0").slice(0, -1);

    it("hands arguments on byte for byte, one line each", () => {
      fc.assert(
        fc.property(fc.array(fc.array(text, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 20 }), (requests) => {
          const lines = requests.map((args) => `printf '%s\\0' ${args.map(shQuote).join(" ")}\n`);
          for (const line of lines) assert.equal(line.indexOf("\n"), line.length - 1);
          assert.deepEqual(told(lines), requests.flat());
        }),
        { numRuns: 150, verbose: 1 },
      );
    });

    it("survives an assignment and a large value", () => {
      const large = "x'\n\\".repeat(30_000);
      assert.deepEqual(told([`export A=${shQuote(large)} B=${shQuote("b")}\n`, `printf '%s\\0' "$A" "$B"\n`]), [large, "b"]);
    });
  });
}

describe("shQuote", () => {
  it("refuses what nothing can hold", () => {
    assert.throws(() => shQuote("a\0b"), RangeError);
    assert.throws(() => shQuote("\ud800"), RangeError);
  });
});
