import type { BigIntStats, Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import ignore, { type Ignore } from "ignore";
import { codeOf } from "../base/errors.ts";
import type { ManifestProblem } from "../manifests/manifest-problem.ts";

/** File of patterns, as in a .gitignore, of what below its directory is no manifest. */
export const ignoreFileName = ".vendettaignore";
export const manifestFilesMax = 5000;
const entriesMax = 100_000;
const ignoreBytesMax = 1024 * 1024;
const manifestSuffixes = [".yaml", ".yml", ".json"];
/** Stats under way at once. */
const atOnceMax = 32;

/** One manifest file as it lies there. */
export interface ScannedFile {
  /** Below the directory, with `/`. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

export interface DirectoryScan {
  /** Real path and inode of the directory itself. */
  readonly root: string;
  readonly rootId: string;
  /** In the order of their names. */
  readonly files: readonly ScannedFile[];
  readonly problems: readonly ManifestProblem[];
  /** Differs when a file has come, gone or been written. */
  readonly signature: string;
}

/** There is more than is ever meant to be read as manifests. */
export class TooManyFilesError extends Error {
  override readonly name = "TooManyFilesError";
}

/** Whether a file's name is one that manifests have, and not an editor's own copy of one. */
export function isManifestName(name: string): boolean {
  return !name.startsWith(".") && !name.startsWith("#") && manifestSuffixes.some((suffix) => name.endsWith(suffix));
}

/** Hidden ones are tools' own (.git, .github); node_modules is full of JSON. */
export function isSkippedDirectory(name: string): boolean {
  return name.startsWith(".") || name === "node_modules";
}

interface Rules {
  /** Directory the patterns are relative to, below the root. */
  readonly base: string;
  readonly patterns: Ignore;
}

/**
 * Finds the manifest files of a directory and of those below it. Links are followed as long as they stay inside. What could not be looked
 * into is thrown: a set that lacks a file nobody could see is not the set.
 * @throws Node's system errors, TooManyFilesError, the signal's reason
 */
export async function scanDirectory(directory: string, signal: AbortSignal): Promise<DirectoryScan> {
  const root = await realpath(directory);
  const rootStat = await stat(root, { bigint: true });
  const files: ScannedFile[] = [];
  const problems: ManifestProblem[] = [];
  const signature: string[] = [];
  const visited = new Set<string>();
  let entries = 0;

  const note = (name: string, path: string, found: BigIntStats) => {
    files.push({ name, path, bytes: Number(found.size) });
    signature.push(`${name}\0${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`);
    if (files.length > manifestFilesMax) throw new TooManyFilesError(`there are more than ${manifestFilesMax} manifest files in it`);
  };

  const walk = async (path: string, name: string, rules: readonly Rules[]): Promise<void> => {
    signal.throwIfAborted();
    const real = await realpath(path);
    if (visited.has(real)) return;
    visited.add(real);
    const found = await readdir(path, { withFileTypes: true });
    if ((entries += found.length) > entriesMax) throw new TooManyFilesError(`there are more than ${entriesMax} files in it; name what is no manifest in a ${ignoreFileName}`);
    const own = await rulesOf(path, name, signature);
    const inForce = own === undefined ? rules : [...rules, own];
    const kept = found.filter((each) => isWanted(each, name, inForce));
    const links: string[] = [];
    const directories: string[] = [];
    await inBatches(kept.filter((each) => !each.isDirectory()), async (each) => {
      const below = name === "" ? each.name : `${name}/${each.name}`;
      const to = join(path, each.name);
      if (each.isSymbolicLink()) return void links.push(each.name);
      if (each.isFile()) note(below, to, await stat(to, { bigint: true }));
    });
    for (const each of kept) if (each.isDirectory()) directories.push(each.name);
    // What is there itself comes before what only points to it, so that a file is known by its own name.
    for (const each of directories.sort()) await walk(join(path, each), name === "" ? each : `${name}/${each}`, inForce);
    for (const each of links.sort()) await follow(join(path, each), name === "" ? each : `${name}/${each}`, inForce);
  };

  const follow = async (path: string, name: string, rules: readonly Rules[]): Promise<void> => {
    const target = await realpath(path).catch((error: unknown) => {
      if (["ENOENT", "ELOOP", "ENOTDIR"].includes(codeOf(error) ?? "")) return undefined;
      throw error;
    });
    const isManifest = isManifestName(name.slice(name.lastIndexOf("/") + 1));
    const refuse = (message: string) => void problems.push({ place: { file: name, line: 1, column: 1 }, message });
    if (target === undefined) {
      if (isManifest) refuse("is a link that leads nowhere");
      return;
    }
    const found = await stat(target, { bigint: true });
    if (found.isFile() && !isManifest) return;
    if (target !== root && !target.startsWith(root + sep)) return refuse(`is a link that leads out of the directory, to ${target}`);
    if (found.isDirectory()) await walk(path, name, rules);
    else if (found.isFile()) note(name, path, found);
  };

  await walk(root, "", []);
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { root, rootId: `${rootStat.dev}:${rootStat.ino}`, files, problems, signature: [`${rootStat.dev}:${rootStat.ino}`, ...signature.sort()].join("\n") };
}

function isWanted(entry: Dirent, directory: string, rules: readonly Rules[]): boolean {
  if (entry.isDirectory() ? isSkippedDirectory(entry.name) : !(isManifestName(entry.name) || (entry.isSymbolicLink() && !isSkippedDirectory(entry.name)))) return false;
  const name = directory === "" ? entry.name : `${directory}/${entry.name}`;
  return !rules.some(({ base, patterns }) => patterns.ignores((base === "" ? name : relative(base, name)) + (entry.isDirectory() ? "/" : "")));
}

async function rulesOf(path: string, base: string, signature: string[]): Promise<Rules | undefined> {
  const file = join(path, ignoreFileName);
  let text: string;
  try {
    const found = await stat(file, { bigint: true });
    if (!found.isFile()) return undefined;
    if (found.size > ignoreBytesMax) throw new TooManyFilesError(`${file} has ${found.size} bytes; at most ${ignoreBytesMax} are read`);
    text = await readFile(file, "utf8");
    signature.push(`${base}/${ignoreFileName}\0${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return { base, patterns: ignore().add(text) };
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += atOnceMax) await Promise.all(items.slice(from, from + atOnceMax).map(work));
}
