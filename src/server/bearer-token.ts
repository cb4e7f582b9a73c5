import { createHash, timingSafeEqual } from "node:crypto";
import { administrator, anonymous, type User } from "./user.ts";

/** Who an `Authorization` header (RFC 6750) stands for; undefined when it is there and not good. */
export type Authenticate = (authorization: string | undefined) => User | undefined;

/** Accepts the one token, which is compared in constant time. */
export function createBearerAuthenticate(token: string): Authenticate {
  const wanted = digest(token);
  return (authorization) => {
    if (authorization === undefined || authorization === "") return anonymous;
    const [, given] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
    return given !== undefined && timingSafeEqual(digest(given), wanted) ? administrator : undefined;
  };
}

/** Digests are of one length, which timingSafeEqual wants, and tell nothing of the token's. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
