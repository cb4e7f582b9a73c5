import { randomBytes, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { writeFileDurably } from "../base/durable-file.ts";
import type { Logger } from "../base/log.ts";
import { createAuthority, createServingCertificate, decodeKeyPair, encodeKeyPair, isFresh, type KeyPair } from "./certificates.ts";

/** What the network edge proves itself with, and what it asks of its callers. */
export interface Credentials {
  /** PEM. Who trusts it trusts the serving certificate, and every later one until the authority changes. */
  readonly authorityCertificate: string;
  readonly serving: KeyPair;
  /** Secret: never in a log, an event, an error or a process's arguments. */
  readonly token: string;
}

/** Which of the credentials to replace although they are good. The serving certificate always follows its authority. */
export interface Rotation {
  readonly authority?: boolean;
  readonly serving?: boolean;
  readonly token?: boolean;
}

const tokenBytes = 32;
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * The credentials kept in `dir` (0700, its files 0600): those that are good are answered as they are; what is missing,
 * damaged, near its end or to be rotated is made anew and durable before this resolves. So it is the first start, the
 * renewal and the rotation in one, and asking twice changes nothing. Not to be called twice at a time.
 */
export async function keepCredentials(dir: string, nowMs: number, log: Logger, rotation: Rotation = {}): Promise<Credentials> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const authorityFile = join(dir, "ca.pem");
  const servingFile = join(dir, "server.pem");
  const tokenFile = join(dir, "token");

  let authority = rotation.authority === true ? undefined : await readPair(authorityFile, log, (each) => isFresh(each, nowMs));
  if (authority === undefined) await writeFileDurably(authorityFile, encodeKeyPair((authority = await createAuthority(nowMs))));
  const issuer = new X509Certificate(authority.certificate);

  let serving = rotation.serving === true ? undefined : await readPair(servingFile, log, (each) => isFresh(each, nowMs) && each.checkIssued(issuer) && each.verify(issuer.publicKey));
  if (serving === undefined) await writeFileDurably(servingFile, encodeKeyPair((serving = await createServingCertificate(authority, nowMs))));

  let token = rotation.token === true ? undefined : await readToken(tokenFile, log);
  if (token === undefined) await writeFileDurably(tokenFile, `${(token = randomBytes(tokenBytes).toString("base64url"))}\n`);

  return { authorityCertificate: authority.certificate, serving, token };
}

async function readPair(file: string, log: Logger, isGood: (certificate: X509Certificate) => boolean): Promise<KeyPair | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  const pair = decodeKeyPair(text);
  if (pair === undefined) log.warn("a certificate cannot be read and is made anew", { file });
  else if (!isGood(new X509Certificate(pair.certificate))) log.info("a certificate is made anew", { file, validTo: new X509Certificate(pair.certificate).validTo });
  else return pair;
  return undefined;
}

async function readToken(file: string, log: Logger): Promise<string | undefined> {
  const token = (await readText(file))?.trim();
  if (token === undefined || tokenPattern.test(token)) return token;
  log.warn("the token cannot be read and is made anew", { file });
  return undefined;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
