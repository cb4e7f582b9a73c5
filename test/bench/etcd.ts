import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, constants, type ClientHttp2Session } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/system.ts";
import { freePort } from "../harness/ports.ts";

/** An etcd of our own on loopback, in a directory of its own. */
export interface Etcd extends AsyncDisposable {
  /** One durable put over gRPC, on one of a few warm connections. */
  put(key: string, value: string): Promise<void>;
}

/** @param connections as etcd's own benchmark tool has them: several clients share one. Undefined when there is no etcd. */
export async function startEtcd(connections: number): Promise<Etcd | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "vendetta-etcd-"));
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const child = spawn("etcd", ["--data-dir", join(dir, "data"), "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl, "--initial-cluster", `default=${peerUrl}`], { stdio: "ignore" });
  const spawned = await Promise.race([once(child, "spawn").then(() => true), once(child, "error").then(() => false)]);
  if (!spawned) return void (await rm(dir, { recursive: true }));
  const sessions: ClientHttp2Session[] = [];
  const stop = async () => {
    for (const session of sessions) session.destroy();
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await rm(dir, { recursive: true });
  };
  try {
    await waitUntilReady(url);
    for (let i = 0; i < connections; i++) sessions.push(connect(url));
  } catch (error) {
    await stop();
    throw error;
  }
  let next = 0;
  return { put: (key, value) => put(sessions[next++ % sessions.length]!, key, value), [Symbol.asyncDispose]: stop };
}

async function waitUntilReady(url: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const session = connect(url);
    session.on("error", () => {});
    try {
      await put(session, "ready", "1");
      return;
    } catch {
      // Not listening, or not leader of itself yet: asked again below.
      await sleep(systemClock, 100);
    } finally {
      session.destroy();
    }
  }
  throw new Error("etcd did not get ready within 10 s");
}

/** etcdserverpb.PutRequest { bytes key = 1; bytes value = 2; }, written by hand: a gRPC library would cost its client more. */
function putRequest(key: string, value: string): Buffer {
  const field = (number: number, text: string) => {
    const bytes = Buffer.from(text);
    const length: number[] = [];
    for (let left = bytes.length; ; left >>>= 7) {
      length.push(left > 127 ? (left & 127) | 128 : left);
      if (left <= 127) break;
    }
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
  };
  const message = Buffer.concat([field(1, key), field(2, value)]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function put(session: ClientHttp2Session, key: string, value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ [constants.HTTP2_HEADER_METHOD]: "POST", [constants.HTTP2_HEADER_PATH]: "/etcdserverpb.KV/Put", "content-type": "application/grpc", te: "trailers" });
    let status: unknown;
    const read = (headers: Readonly<Record<string, unknown>>) => (status = headers["grpc-status"] ?? status);
    stream.on("response", read).on("trailers", read).on("error", reject).resume();
    stream.on("close", () => (String(status) === "0" ? resolve() : reject(new Error(`etcd put: grpc-status ${String(status)}`))));
    stream.end(putRequest(key, value));
  });
}
