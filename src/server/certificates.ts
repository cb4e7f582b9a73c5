import { createPrivateKey, X509Certificate } from "node:crypto";

/** A certificate and the key that goes with it, both PEM. */
export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

const dayMs = 24 * 3600 * 1000;
const authorityMs = 3650 * dayMs;
const servingMs = 90 * dayMs;
/** Clocks differ a little, and are set: a certificate holds from a little before it was made. */
const slackMs = 3600 * 1000;

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Names and addresses a server on the loopback interface is asked for under. */
const servingNames = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
] as const;

/** The library costs 70 ms to load, and is needed only when a certificate is made. */
async function library() {
  // It resolves its parts by decorators' metadata, which the language does not have yet.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** A certificate authority of its own: ECDSA P-256, ten years, may sign servers' certificates and no further authority (RFC 5280). */
export async function createAuthority(nowMs: number): Promise<KeyPair> {
  const x509 = await library();
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Two authorities of one home must not be taken for each other by name.
    name: `CN=vendetta-ca@${Math.floor(nowMs / 1000)}`,
    ...validity(nowMs, nowMs + authorityMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await pemOf(keys.privateKey), certificate: `${certificate.toString("pem")}\n` };
}

/** A certificate for localhost, 127.0.0.1 and ::1: ECDSA P-256, ninety days but no longer than its authority. */
export async function createServingCertificate(authority: KeyPair, nowMs: number): Promise<KeyPair> {
  const x509 = await library();
  const issuer = new X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: "CN=vendetta",
    issuer: issuer.subject,
    ...validity(nowMs, Math.min(nowMs + servingMs, Date.parse(issuer.validTo))),
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority.key),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([...servingNames]),
      await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(issuer.publicKey.export({ type: "spki", format: "der" }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await pemOf(keys.privateKey), certificate: `${certificate.toString("pem")}\n` };
}

/** Whether a certificate need not be made anew: it holds, and less than two thirds of its time are over. */
export function isFresh(certificate: X509Certificate, nowMs: number): boolean {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return nowMs >= from && nowMs < to - (to - from) / 3;
}

/** The pair in PEM that was written by `encodeKeyPair`; undefined when it is none, or its halves do not belong together. */
export function decodeKeyPair(text: string): KeyPair | undefined {
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n/.exec(text)?.[0];
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/.exec(text)?.[0];
  if (key === undefined || certificate === undefined) return undefined;
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)) ? { key, certificate } : undefined;
  } catch {
    // OpenSSL cannot read one of them.
    return undefined;
  }
}

/** One text, so that one rename replaces both halves. */
export function encodeKeyPair({ key, certificate }: KeyPair): string {
  return key + certificate;
}

/** X.509 knows whole seconds. */
function validity(nowMs: number, endMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - slackMs), notAfter: new Date(endMs) };
}

type WebKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

function signingKey(pem: string): Promise<WebKey> {
  return crypto.subtle.importKey("pkcs8", createPrivateKey(pem).export({ type: "pkcs8", format: "der" }), algorithm, false, ["sign"]);
}

async function pemOf(key: WebKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key));
  return createPrivateKey({ key: der, type: "pkcs8", format: "der" }).export({ type: "pkcs8", format: "pem" }).toString();
}
