import { TransportError, type DialTarget } from "../transport.ts";

/** What the operating systems call them, in the words of strerror(3) and getaddrinfo(3), which sshd hands on. */
const words: readonly (readonly [pattern: RegExp, code: string])[] = [
  [/connection refused/i, "ECONNREFUSED"],
  [/no route to host/i, "EHOSTUNREACH"],
  [/network is unreachable/i, "ENETUNREACH"],
  [/timed out/i, "ETIMEDOUT"],
  [/no such file/i, "ENOENT"],
  [/permission denied/i, "EACCES"],
  [/not known|no address|name resolution|unknown host/i, "ENOTFOUND"],
];

export const codeOfText = (text: string): string | undefined => words.find(([pattern]) => pattern.test(text))?.[1];

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "there is no such socket",
  ENOTSOCK: "it is not a socket",
  EACCES: "permission denied",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network is unreachable",
  ENOTFOUND: "there is no such host",
};

export const placeOf = (target: DialTarget): string => ("socketPath" in target ? target.socketPath : `${target.host}:${target.port}`);

/** As the local transport says it: a cause with Node's `code`. Nothing was sent, so nothing can have run. */
export function dialError(target: DialTarget, where: string, code: string, said = ""): TransportError {
  const why = explanations[code] ?? (said === "" ? code : said);
  return new TransportError(`cannot connect to ${placeOf(target)} from ${where}: ${why}`, false, { cause: Object.assign(new Error(said === "" ? why : said), { code }) });
}
