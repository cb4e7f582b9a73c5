import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { codeOf, messageOf } from "../base/errors.ts";
import type { ManifestText } from "../manifests/read-manifests.ts";
import { CliError } from "./world.ts";

const sourceBytesMax = 64 * 1024 * 1024;
const filesMax = 5000;
const suffixes = [".yaml", ".yml", ".json"];

/** Reads what `-f` names: files, directories (-R: and those below), or `-`. @throws CliError */
export async function readSources(paths: readonly string[], { recursive, stdin }: { readonly recursive: boolean; readonly stdin: Readable }): Promise<readonly ManifestText[]> {
  if (paths.length === 0) throw new CliError("say which manifests with -f FILE, -f DIRECTORY or -f -");
  if (paths.filter((path) => path === "-").length > 1) throw new CliError("-f - can be given once only");
  const sources: ManifestText[] = [];
  for (const path of paths) {
    if (path === "-") sources.push({ name: "stdin", directory: process.cwd(), text: await readAll(stdin) });
    else for (const file of await filesAt(path, recursive)) sources.push({ name: file, directory: dirname(resolve(file)), text: await readText(file) });
  }
  return sources;
}

async function filesAt(path: string, recursive: boolean): Promise<readonly string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!found.isDirectory()) return [path];
  const names = await readdir(path, { recursive, withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const files = names.filter((each) => !each.isDirectory() && suffixes.some((suffix) => each.name.endsWith(suffix))).map((each) => join(each.parentPath, each.name));
  if (files.length === 0) throw new CliError(`no objects found in ${path}: it has no file that ends in ${suffixes.join(", ")}${recursive ? "" : "; -R looks into the directories below too"}`);
  if (files.length > filesMax) throw new CliError(`${path} has ${files.length} manifest files; at most ${filesMax} are read at once`);
  return files.sort();
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > sourceBytesMax) throw new CliError(`it has ${size} bytes; at most ${sourceBytesMax} are read`);
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const buffer = Buffer.from(chunk);
    if ((bytes += buffer.byteLength) > sourceBytesMax) throw new CliError(`Cannot read stdin: it has more than ${sourceBytesMax} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function unreadable(path: string, error: unknown): CliError {
  const reasons: Readonly<Record<string, string>> = { ENOENT: "there is no such file or directory", EACCES: "permission denied", ENOTDIR: "part of its path is no directory", EISDIR: "it is a directory" };
  return new CliError(`Cannot read ${path}: ${reasons[codeOf(error) ?? ""] ?? messageOf(error)}`, { cause: error });
}
