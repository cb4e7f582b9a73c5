import { access, constants, mkdir, stat } from "node:fs/promises";
import { codeOf, messageOf } from "../base/errors.ts";
import type { HomePaths } from "../base/home.ts";
import { CliError } from "./world.ts";

/** Makes the home and its log directory, this user's alone. @throws CliError naming the path, the reason and the next step */
export async function ensureHome({ home, logDir }: HomePaths): Promise<void> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    if (!(await stat(home)).isDirectory()) throw new CliError("it is no directory");
    await access(home, constants.W_OK | constants.X_OK);
    await mkdir(logDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliError(`Cannot use ${home} as vendetta's home: ${reasonOf(error)}; set VENDETTA_HOME to a directory that can be written`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case "EROFS":
      return "the file system is read-only";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOSPC":
    case "EDQUOT":
      return "there is no space left on the device";
    case "ENOTDIR":
    case "EEXIST":
      return "something on its path is no directory";
    default:
      return messageOf(error);
  }
}
