import { codeOf, messageOf } from "../../base/errors.ts";
import { TransportError } from "../transport.ts";
import { SshError } from "./ssh-error.ts";

/** Status codes of SFTP version 3 (draft-ietf-secsh-filexfer-02, 7), as Node's. "Failure" tells nothing more. */
const sftpCodes: Readonly<Record<number, string>> = { 2: "ENOENT", 3: "EACCES", 8: "ENOTSUP" };

const explanations: Readonly<Record<string, string>> = { ENOENT: "no such file or directory", EACCES: "permission denied", EISDIR: "it is a directory", ENOTDIR: "it is not a directory", ENOSPC: "no space left on device" };

/** Something went wrong with a file, and the code tells what. */
export function fileFailure(code: string, said = ""): Error {
  return Object.assign(new Error(explanations[code] ?? (said === "" ? code : said)), { code });
}

export function isSftpStatus(error: unknown, status: number): boolean {
  return (error as { readonly code?: unknown } | null)?.code === status;
}

/** Runs `act`, and tells an error as the contract has it: TransportError, its cause with Node's `code`. */
export async function guardFile<T>(what: string, where: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof SshError) throw error;
    const { code } = error as { readonly code?: unknown };
    const cause = typeof code === "number" && sftpCodes[code] !== undefined ? fileFailure(sftpCodes[code]) : error;
    const mayHaveRun = error instanceof TransportError ? error.mayHaveRun : true;
    throw new TransportError(`cannot ${what} on ${where}: ${codeOf(cause) !== undefined && explanations[codeOf(cause)!] !== undefined ? explanations[codeOf(cause)!] : messageOf(cause)}`, mayHaveRun, { cause });
  }
}
