import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { bootstrap, commandScript, parseStart, preamble } from "../../src/transports/ssh/remote-script.ts";
import { check } from "./check.ts";

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."'\"\\$`\n\r\t !*?~#;&|<>(){}[]-=%\u0001\u007f\u0081\u0088é日🐚", "$(id)", "\\n", "''", "EOF\n", "$v_nl", "vendetta_line"), maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 60 }),
).map((each) => each.replaceAll("\0", ""));
const environment = fc.dictionary(fc.stringMatching(/^T_[A-Za-z0-9_]{1,8}$/), text, { maxKeys: 5 });

const print = 'for word; do printf "%s\\0" "$word"; done; env -0 | grep -z "^T_" | sort -z; printf "stdin\\0"; exec cat';
const logins: readonly (readonly string[])[] = [["/usr/bin/dash"], ["/usr/bin/bash"], ["/usr/bin/busybox", "sh"], ["/usr/bin/fish"], ["/usr/bin/zsh"], ["/bin/csh"]];
const shells = ["/usr/bin/dash", "/usr/bin/bash", "/usr/bin/busybox sh"];

describe("a command over SSH", () => {
  // Some shells write into their home as soon as they start.
  const home = mkdtempSync(join(tmpdir(), "vd-login-"));
  after(() => rmSync(home, { recursive: true, force: true }));

  for (const [login, ...words] of logins)
    for (const shell of shells)
      it(`arrives byte for byte by way of ${[login, ...words].join(" ")} and ${shell}, with its stdin`, { skip: !existsSync(login!) || !existsSync(shell.split(" ")[0]!) }, () => {
        check(
          fc.property(fc.array(text, { maxLength: 6 }), environment, text, (args, env, stdin) => {
            const script = commandScript({ argv: ["sh", "-c", print, "sh", ...args], cwd: "/", env, tty: false, nonce: "n0nce", keeperDir: undefined });
            const { stdout } = spawnSync(login!, [...words, "-c", bootstrap.replace("/bin/sh", shell)], { input: `${preamble}\n${script}\n${stdin}`, env: { PATH: process.env["PATH"], HOME: home } });
            const parsed = parseStart(stdout, "n0nce");
            assert.ok(typeof parsed?.started === "object" && parsed.started.pid > 1, stdout.toString());
            const inOrder = Object.entries(env).map(([name, value]) => `${name}=${value}`).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
            const told = parsed.rest.toString("utf8").split("\0");
            const said = [...args, ...told.slice(args.length, args.length + inOrder.length).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))];
            assert.deepEqual([said, told.slice(args.length + inOrder.length)], [[...args, ...inOrder], ["stdin", stdin]]);
          }),
          25,
        );
      });
});
