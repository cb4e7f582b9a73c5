import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
import { createSessionLimit } from "../../../src/transports/ssh/session-limit.ts";
import { spreadStreams } from "../../../src/transports/ssh/spread-streams.ts";
import type { SshTransport } from "../../../src/transports/ssh/ssh-transport.ts";
import type { ExecStream, Transport } from "../../../src/transports/transport.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../../harness/sshd.ts";

const timeoutMs = 20_000;

for (const [name, options, connections] of [["ten sessions at most", [], 4], ["three sessions at most", ["MaxSessions=3"], 16]] as const)
  describe(`ssh: streams that last, ${name}`, { timeout: 120_000, skip: sshdUnavailable() }, () => {
    let sshd: TestSshd;
    let main: SshTransport;
    let transport: Transport;
    let made = 0;
    before(async () => {
      sshd = await startSshd({ options });
      const sessionLimit = createSessionLimit({ clock, sessionsMax: name.startsWith("three") ? 3 : undefined });
      const another = () => {
        made++;
        return sshTo(sshd, { sessionLimit });
      };
      main = another();
      transport = spreadStreams({ main, another, clock });
    });
    after(async () => {
      await transport.close();
      await sshd.stop();
    });

    it("twelve of them leave room for commands and files, each says its own, and all end", async () => {
      const streams: ExecStream[] = [];
      for (let i = 0; i < 12; i++) streams.push(await transport.exec(["cat"], {}));
      assert.ok(made > 1 && made <= connections, `${made} connections`);
      assert.equal((await transport.run(["echo", "still"], { timeoutMs })).stdout, "still\n");
      assert.ok((await transport.files.read("/etc/hostname", 1000)).length > 0);
      const said = streams.map(async (stream, i) => {
        let text = "";
        stream.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        stream.stderr.resume();
        stream.stdin.end(`line ${i}`);
        const { code } = await stream.exit;
        return `${text} ${code}`;
      });
      assert.deepEqual(await Promise.all(said), streams.map((_, i) => `line ${i} 0`));
    });
    it("one that cannot be started gives its place back", async () => {
      for (let i = 0; i < 12; i++) await assert.rejects(transport.exec(["no-such-program"], {}), /no such program/);
      assert.equal((await transport.run(["echo", "still"], { timeoutMs })).stdout, "still\n");
    });
  });

describe("ssh: commands beside streams that last, two sessions at most", { timeout: 120_000, skip: sshdUnavailable() }, () => {
  it("wait for a connection with room, and none for one that is held for ever", async () => {
    const sshd = await startSshd({ options: ["MaxSessions=2"] });
    const sessionLimit = createSessionLimit({ clock, sessionsMax: 2 });
    const main = sshTo(sshd, { sessionLimit });
    const transport = spreadStreams({ main, another: () => sshTo(sshd, { sessionLimit }), clock });
    try {
      // All but one of the connections that are made for streams.
      const lasting = await Promise.all(Array.from({ length: 14 }, () => transport.exec(["cat"], {})));
      const said = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const stream = await transport.exec(["echo", String(i)], {});
        let text = "";
        stream.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        stream.stderr.resume();
        await stream.exit;
        return text;
      }));
      assert.deepEqual(said, Array.from({ length: 20 }, (_, i) => `${i}\n`));
      lasting.push(await transport.exec(["cat"], {}));
      const giveUp = new AbortController();
      const waiting = assert.rejects(transport.exec(["true"], { signal: giveUp.signal }), /no need/);
      giveUp.abort(new Error("no need"));
      await waiting;
      lasting[0]!.stdin.end();
      for (const { stdout, stderr } of lasting) for (const each of [stdout, stderr]) each.resume();
      assert.equal((await transport.exec(["true"], {})).stdin.writable, true);
    } finally {
      await transport.close();
      await sshd.stop();
    }
  });
});
