import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { chmod, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { silentLogger } from "../../src/base/log.ts";
import { createAuthority, createServingCertificate, decodeKeyPair, encodeKeyPair, isFresh } from "../../src/server/certificates.ts";
import { keepCredentials, type Rotation } from "../../src/server/credentials.ts";
import { kubeconfigText } from "../../src/server/kubeconfig.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const now = Date.UTC(2026, 5, 1);
const dayMs = 24 * 3600 * 1000;

describe("certificates", () => {
  it("are ECDSA P-256: an authority, and what it signs for localhost, 127.0.0.1 and ::1", async () => {
    const authority = await createAuthority(now);
    const issuer = new X509Certificate(authority.certificate);
    const serving = new X509Certificate((await createServingCertificate(authority, now)).certificate);
    for (const each of [issuer, serving]) assert.equal(each.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    assert.equal(issuer.ca, true);
    assert.equal(serving.ca, false);
    assert.ok(serving.checkIssued(issuer) && serving.verify(issuer.publicKey));
    assert.equal(serving.checkHost("localhost"), "localhost");
    assert.equal(serving.checkHost("example.com"), undefined);
    for (const ip of ["127.0.0.1", "::1"]) assert.equal(serving.checkIP(ip), ip);
    assert.equal(serving.checkIP("127.0.0.2"), undefined);
    assert.deepEqual(serving.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  });
  it("are fresh until two thirds of their time are over, and not before it begins", async () => {
    const authority = await createAuthority(now);
    const serving = new X509Certificate((await createServingCertificate(authority, now)).certificate);
    for (const [days, fresh] of [[-1, false], [0, true], [59, true], [61, false], [100, false]] as const) assert.equal(isFresh(serving, now + days * dayMs), fresh, `${days}`);
  });
  it("end no later than their authority", async () => {
    const authority = await createAuthority(now);
    const serving = new X509Certificate((await createServingCertificate(authority, now + 3600 * dayMs)).certificate);
    assert.equal(serving.validTo, new X509Certificate(authority.certificate).validTo);
  });
  it("are read as they were written, and not when the halves belong to two", async () => {
    const [one, two] = [await createAuthority(now), await createAuthority(now)];
    assert.deepEqual(decodeKeyPair(encodeKeyPair(one)), one);
    assert.equal(decodeKeyPair(encodeKeyPair({ ...one, key: two.key })), undefined);
    for (const text of ["", one.key, one.certificate, encodeKeyPair(one).replace(/[A-Za-z]{20}/, "x"), encodeKeyPair(one).slice(0, -40)]) assert.equal(decodeKeyPair(text), undefined);
  });
});

describe("keepCredentials", () => {
  const keep = (dir: string, nowMs = now, rotation?: Rotation) => keepCredentials(dir, nowMs, silentLogger, rotation);

  it("makes them once, for this user alone", async () => {
    await using home = await temporaryDirectory();
    const dir = join(home.path, "pki");
    const made = await keep(dir);
    assert.equal(Buffer.from(made.token, "base64url").byteLength, 32);
    assert.equal((await stat(dir)).mode & 0o777, 0o700);
    assert.deepEqual((await readdir(dir)).sort(), ["ca.pem", "server.pem", "token"]);
    for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
    assert.deepEqual(await keep(dir), made);
  });
  it("renews the serving certificate in time, and the authority in its own", async () => {
    await using home = await temporaryDirectory();
    const dir = join(home.path, "pki");
    const made = await keep(dir);
    assert.deepEqual(await keep(dir, now + 59 * dayMs), made);
    const renewed = await keep(dir, now + 61 * dayMs);
    assert.notEqual(renewed.serving.certificate, made.serving.certificate);
    assert.deepEqual({ ...renewed, serving: made.serving }, made);
    const later = await keep(dir, now + 2500 * dayMs);
    assert.notEqual(later.authorityCertificate, made.authorityCertificate);
    assert.equal(later.token, made.token);
  });
  it("makes the serving certificate anew when its authority is another", async () => {
    await using home = await temporaryDirectory();
    const dir = join(home.path, "pki");
    const made = await keep(dir);
    await rm(join(dir, "ca.pem"));
    const next = await keep(dir);
    assert.ok(new X509Certificate(next.serving.certificate).verify(new X509Certificate(next.authorityCertificate).publicKey));
    assert.notEqual(next.serving.certificate, made.serving.certificate);
  });
  for (const [what, rotation, same] of [
    ["the token", { token: true }, { authority: true, serving: true, token: false }],
    ["the serving certificate", { serving: true }, { authority: true, serving: false, token: true }],
    ["the authority, with its certificate", { authority: true }, { authority: false, serving: false, token: true }],
  ] as const) {
    it(`replaces ${what} when asked`, async () => {
      await using home = await temporaryDirectory();
      const dir = join(home.path, "pki");
      const before = await keep(dir);
      const next = await keep(dir, now, rotation);
      assert.deepEqual({ authority: next.authorityCertificate === before.authorityCertificate, serving: next.serving.key === before.serving.key, token: next.token === before.token }, same);
      assert.deepEqual(await keep(dir), next);
    });
  }
  it("makes anew what is damaged, whatever is in it, and takes its readers away", async () => {
    await using home = await temporaryDirectory();
    const dir = join(home.path, "pki");
    const made = await keep(dir);
    for (const name of ["ca.pem", "server.pem", "token"]) for (const text of ["", "\0\xff", (await readFile(join(dir, name), "utf8")).slice(0, 30)]) {
      await writeFile(join(dir, name), text);
      await chmod(join(dir, name), 0o644);
      const next = await keep(dir);
      assert.deepEqual(await keep(dir), next);
      assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600);
    }
    assert.notEqual((await keep(dir)).token, made.token);
  });
});

describe("a kubeconfig", () => {
  const entry = { server: "https://127.0.0.1:6440", authorityCertificate: "PEM\n", token: "t0ken" };

  it("has all a client needs", () => {
    assert.deepEqual(parse(kubeconfigText(undefined, entry)), {
      apiVersion: "v1", kind: "Config",
      clusters: [{ name: "vendetta", cluster: { server: "https://127.0.0.1:6440", "certificate-authority-data": "UEVNCg==" } }],
      users: [{ name: "vendetta-admin", user: { token: "t0ken" } }],
      contexts: [{ name: "vendetta", context: { namespace: "default", cluster: "vendetta", user: "vendetta-admin" } }],
      "current-context": "vendetta",
    });
  });
  it("is the same when nothing is new", () => {
    const text = kubeconfigText(undefined, entry);
    assert.equal(kubeconfigText(text, entry), text);
  });
  it("keeps what others put there, and replaces what is ours", () => {
    const mine = parse(kubeconfigText(undefined, entry));
    mine.contexts[0].context.namespace = "team";
    mine.clusters.push({ name: "other", cluster: { server: "https://other" } });
    mine.preferences = {};
    mine["current-context"] = "other";
    const next = parse(kubeconfigText(JSON.stringify(mine), { ...entry, token: "new", server: "https://127.0.0.1:7000" }));
    assert.deepEqual(next.contexts, mine.contexts);
    assert.deepEqual(next.clusters.map((each: any) => [each.name, each.cluster.server]), [["vendetta", "https://127.0.0.1:7000"], ["other", "https://other"]]);
    assert.deepEqual(next.users, [{ name: "vendetta-admin", user: { token: "new" } }]);
    assert.equal(next["current-context"], "other");
    assert.deepEqual(next.preferences, {});
  });
  for (const text of ["", "{", "- 1", "kind: Other", "null", "{kind: Config, clusters: 7, users: [1, null], contexts: {a: b}, current-context: 3}", "kind: Config\nclusters: &a [*a]"]) {
    it(`takes the place of ${JSON.stringify(text)}`, () => assert.deepEqual(parse(kubeconfigText(text, entry)), parse(kubeconfigText(undefined, entry))));
  }
});
