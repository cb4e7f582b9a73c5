// Test run: about 1 s.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import ssh2, { type Connection, type Session } from "ssh2";
import { systemClock as clock, systemRandom as random } from "../../../src/base/system.ts";
import { createSshTransport, type SshTransport } from "../../../src/transports/ssh/ssh-transport.ts";
import type { Transport } from "../../../src/transports/transport.ts";

const timeoutMs = 20_000;

async function saidBy(transport: Transport, argv: readonly string[], more: { readonly tty?: { columns: number; rows: number } } = {}): Promise<string> {
  const stream = await transport.exec(argv, { ...more, signal: AbortSignal.timeout(timeoutMs) });
  let said = "";
  for (const each of [stream.stdout, stream.stderr]) each.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const { code } = await stream.exit;
  return `${code} ${said.trim()}`;
}

/** Closes a session that nothing was asked of yet: ssh2's server has no method for that. */
function close(connection: Connection, session: Session): void {
  const { _protocol } = connection as unknown as { readonly _protocol: { channelClose(id: number): void } };
  _protocol.channelClose((session as unknown as { readonly _chanInfo: { readonly outgoing: { readonly id: number } } })._chanInfo.outgoing.id);
}

/**
 * As dropbear does when another session's command ends between the opening of one and the command for it (2022.83, `sesscheckclose`). With
 * dropbear itself that comes by chance, and may go on to a failed assertion of its own (`!channel->sent_close`) that ends the connection.
 */
describe("ssh: a server that closes sessions before it is told what to run", { timeout: 60_000 }, () => {
  let server: ssh2.Server;
  let transport: SshTransport;
  /** Sessions still to be closed when they are asked this. */
  const drops = { pty: 0, exec: 0 };
  let isTerminalRefused = false;
  const connections = new Set<Connection>();

  before(async () => {
    const [host, user] = ["host", "user"].map((comment) => ssh2.utils.generateKeyPairSync("ed25519", { comment })) as [ReturnType<typeof ssh2.utils.generateKeyPairSync>, ReturnType<typeof ssh2.utils.generateKeyPairSync>];
    server = new ssh2.Server({ hostKeys: [host.private] }, (connection) => {
      connections.add(connection.on("error", () => {}).on("close", () => connections.delete(connection)));
      connection.on("authentication", (login) => login.accept()).on("session", (accept) => {
        const session = accept();
        let isTerminal = false;
        session.on("pty", (yes, no) => {
          isTerminal = true;
          if (isTerminalRefused) no();
          else if (drops.pty-- > 0) close(connection, session);
          else yes();
        });
        session.on("exec", (yes, _no, { command }) => {
          if (drops.exec-- > 0) return close(connection, session);
          const channel = yes();
          const child = spawn(isTerminal ? "script" : "sh", isTerminal ? ["-qec", command, "/dev/null"] : ["-c", command], { stdio: ["pipe", "pipe", "pipe"] });
          channel.pipe(child.stdin.on("error", () => {}));
          child.stdout.pipe(channel, { end: false });
          child.stderr.pipe(channel.stderr, { end: false });
          child.once("close", (code) => {
            channel.exit(code ?? 255);
            channel.end();
          });
        });
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    transport = createSshTransport({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, user: "dev", hostKeys: [host.public], credentials: { identities: [{ name: "user", privateKey: user.private }] }, clock, random });
    assert.equal(await saidBy(transport, ["echo", "there"]), "0 there");
  });
  after(async () => {
    await transport?.close();
    for (const connection of connections) connection.end();
    server.close();
  });

  it("is asked again, for a command with a terminal and for one without", async () => {
    drops.pty = 4;
    // A terminal of this server's says back what it is told.
    assert.match(await saidBy(transport, ["echo", "on a terminal"], { tty: { columns: 80, rows: 24 } }), /^0 .*;on a terminal$/s);
    Object.assign(drops, { pty: 1, exec: 3 });
    assert.match(await saidBy(transport, ["echo", "on another"], { tty: { columns: 80, rows: 24 } }), /^0 .*;on another$/s);
    drops.exec = 4;
    assert.deepEqual(await Promise.all(["one", "two", "three"].map((word) => saidBy(transport, ["echo", word]))), ["0 one", "0 two", "0 three"]);
    assert.deepEqual(transport.state.phase, "ready");
  });
  it("is told of when it never keeps one", async () => {
    isTerminalRefused = true;
    await assert.rejects(saidBy(transport, ["true"], { tty: { columns: 80, rows: 24 } }), /has not kept one of 30 sessions: Unable to request a pseudo-terminal; .*PermitTTY/);
    assert.equal(await saidBy(transport, ["echo", "without"]), "0 without");
  });
});
