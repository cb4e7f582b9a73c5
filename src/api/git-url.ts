import { z } from "zod";

const schemes = ["https:", "http:", "ssh:", "git:", "file:"];
/** `user@host:path`, as scp has it: nothing with a slash before the colon, which would be a path, and no second colon. */
const scpLike = /^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s:][^\s]*$/;

/** Why git is not to be given this address; undefined when it may. Source: git-fetch(1), "Git URLs"; gitremote-helpers(7). */
export function gitUrlProblem(url: string): string | undefined {
  if (/[\u0000-\u0020\u007f]/.test(url)) return "must not contain blanks or control characters";
  if (url.startsWith("-")) return "must not start with '-'";
  if (/^[A-Za-z0-9+.-]+::/.test(url)) return "must not name a remote helper (such as ext::): it could run any command";
  if (url.startsWith("/")) return undefined;
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(url)) {
    let parsed: URL;
    try {
      parsed = new URL(url);
    } catch {
      return "cannot be read as a URL";
    }
    if (!schemes.includes(parsed.protocol)) return `must be https, http, ssh, git, file, user@host:path or an absolute path, not ${parsed.protocol}//`;
    // A manifest is read by many, and so is what it says: git has helpers that keep passwords.
    if (parsed.password !== "") return "must not contain a password; leave that to a credential helper of git";
    // An option of ssh(1), where git hands the host on.
    if (parsed.hostname.startsWith("-") || parsed.username.startsWith("-")) return "must not name a host or user that starts with '-'";
    return undefined;
  }
  return scpLike.test(url) ? undefined : "must be a URL (https, http, ssh, git, file), user@host:path or an absolute path";
}

export const gitUrl = z.string().min(1).max(2048).superRefine((url, context) => {
  const problem = gitUrlProblem(url);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** A branch, a tag, a full name of either, or a commit's 40 digits. Source: git-check-ref-format(1). */
export const gitRef = z
  .string()
  .max(250)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_./+@=-]*$/, "must be a branch, a tag or a commit")
  .refine((ref) => !/\.\.|@\{|\/\/|\/$|\.lock(\/|$)|\/\.|\.$/.test(ref), "is no name that git allows");
