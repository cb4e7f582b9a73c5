import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { SshError } from "../../../src/transports/ssh/ssh-error.ts";
import type { SshOptions } from "../../../src/transports/ssh/ssh-options.ts";
import type { Transport } from "../../../src/transports/transport.ts";
import { eventually } from "../../harness/eventually.ts";
import { freePort, isPortOpen } from "../../harness/ports.ts";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd, type TestSshd } from "../../harness/sshd.ts";
import { startTcpProxy } from "../../harness/tcp-proxy.ts";
import { refusedWith, signal } from "./suite-sockets.ts";

const why = sshdUnavailable();
/** Dead after two seconds of silence instead of two minutes. */
const impatient: Partial<SshOptions> = { keepaliveIntervalMs: 100, keepaliveUnansweredMax: 20, reconnectMs: 20 };

const listen = (transport: Transport, port: number) => transport.listen(port, (connection) => void connection.on("error", () => connection.destroy()).end("hello"), signal());

describe("ssh: listening while the connection breaks", { timeout: 60_000, skip: why }, () => {
  let sshd: TestSshd;
  before(async () => {
    sshd = await startSshd();
  });
  after(() => sshd.stop());

  for (const [how, breakIt] of [["cut", "cut"], ["silent, and only we know", "stall"]] as const)
    it(`${how}: it has ended and says why, and the same port is had again over the next connection`, async () => {
      const proxy = await startTcpProxy(sshd.port);
      const transport = sshTo(sshd, { ...impatient, port: proxy.port });
      try {
        const port = await freePort();
        const { ended } = await listen(transport, port);
        assert.equal(await isPortOpen(port), true);
        proxy[breakIt]();
        assert.ok((await ended) instanceof SshError);
        // The old sshd may need a moment to learn of it.
        const again = await eventually(() => listen(transport, port), 10_000, 50);
        assert.equal(again.port, port);
        assert.equal(proxy.made, 2);
      } finally {
        await transport.close();
        await proxy.close();
      }
    });
});

describe("ssh: an sshd that does not listen for everybody", { timeout: 60_000, skip: why }, () => {
  const refusals: readonly (readonly [what: string, options: readonly string[], port: number, code: string, words: RegExp])[] = [
    ["forwards our way only", ["AllowTcpForwarding=local"], 0, "ENOTSUP", /AllowTcpForwarding to yes or remote/],
    ["listens on all addresses", ["GatewayPorts=yes"], 0, "ENOTSUP", /GatewayPorts to no/],
  ];
  for (const [what, options, port, code, words] of refusals)
    it(`${what}: refused, with what to do, and nothing stays open`, async () => {
      const sshd = await startSshd({ options });
      const transport = sshTo(sshd);
      try {
        await assert.rejects(listen(transport, port), (error: Error) => refusedWith(code)(error) && words.test(error.message));
        const chosen = await freePort();
        await assert.rejects(listen(transport, chosen), refusedWith(code));
        assert.equal(await isPortOpen(chosen), false);
      } finally {
        await transport.close();
        await sshd.stop();
      }
    });
  it("may use some ports only: the others are refused as such", async () => {
    const allowed = await freePort();
    const sshd = await startSshd({ options: [`PermitListen=127.0.0.1:${allowed}`] });
    const transport = sshTo(sshd);
    try {
      assert.equal((await listen(transport, allowed)).port, allowed);
      await assert.rejects(listen(transport, await freePort()), refusedWith("ENOTSUP"));
    } finally {
      await transport.close();
      await sshd.stop();
    }
  });
});
