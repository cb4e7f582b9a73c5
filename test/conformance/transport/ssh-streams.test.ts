import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemClock as clock } from "../../../src/base/system.ts";
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
      const another = () => {
        made++;
        return sshTo(sshd, { sessionsMax: name.startsWith("three") ? 3 : undefined });
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
