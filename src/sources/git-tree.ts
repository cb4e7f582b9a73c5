import { posix } from "node:path";
import ignore from "ignore";
import type { ManifestProblem } from "../manifests/manifest-problem.ts";
import type { ManifestText } from "../manifests/read-manifests.ts";
import { GitError, type Git } from "./git.ts";
import { setBytesMax } from "./read-directory.ts";
import { ignoreFileName, isManifestName, isSkippedDirectory, manifestFilesMax } from "./scan-directory.ts";

const readMsMax = 30_000;
const linksMax = 10;

/** What `git ls-tree` tells of a file. */
interface TreeEntry {
  readonly mode: string;
  readonly id: string;
  readonly bytes: number;
  readonly name: string;
}

export interface GitTree {
  readonly texts: readonly ManifestText[];
  readonly problems: readonly ManifestProblem[];
  /** Why there is nothing: the commit has no such directory. */
  readonly missing?: string;
}

/**
 * The manifests of a directory of a commit, by the rules that hold for a directory on disk. They lie nowhere: relative paths in them lead nowhere.
 * @throws GitError and what running git throws
 */
export async function readGitTree(git: Git, commit: string, path: string, signal: AbortSignal): Promise<GitTree> {
  const options = { timeoutMs: readMsMax, signal };
  const root = posix.normalize(path).replace(/^\/+|\/+$/g, "");
  if (!(await hasDirectory(git, commit, root, options))) return { texts: [], problems: [], missing: `spec.git.path: commit ${commit.slice(0, 12)} has no directory ${root}; correct the path, or commit manifests there (git keeps no empty directories)` };
  const tree = root === "" || root === "." ? commit : `${commit}:${root}`;
  const entries = parseTree(await git.run(["ls-tree", "-r", "-z", "--full-tree", "--long", tree], options));
  const contents = async (wanted: readonly TreeEntry[]) => await readBlobs(git, wanted, signal);
  const rules = entries.filter(({ name, mode }) => posix.basename(name) === ignoreFileName && mode.startsWith("100"));
  const patterns = (await contents(rules)).map((text, i) => ({ base: posix.dirname(rules[i]!.name), patterns: ignore().add(text) }));
  const isIgnored = (name: string) => patterns.some(({ base, patterns: each }) => (base === "." ? each.ignores(name) : name.startsWith(`${base}/`) && each.ignores(name.slice(base.length + 1))));
  const byName = new Map(entries.map((each) => [each.name, each]));
  const problems: ManifestProblem[] = [];
  const files: TreeEntry[] = [];
  for (const entry of entries) {
    const folders = entry.name.split("/").slice(0, -1);
    if (!isManifestName(posix.basename(entry.name)) || folders.some(isSkippedDirectory) || isIgnored(entry.name)) continue;
    const target = entry.mode === "120000" ? await linkTarget(entry, byName, contents) : entry;
    if (target === undefined) problems.push({ place: { file: entry.name, line: 1, column: 1 }, message: "is a link that leads to no file in the directory" });
    else if (target.mode.startsWith("100")) files.push({ ...target, name: entry.name });
  }
  if (files.length > manifestFilesMax) throw new GitError(`there are more than ${manifestFilesMax} manifest files in it`);
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  const read = await contents(files);
  return { problems, texts: files.map(({ name }, i) => ({ name, directory: undefined, text: read[i]! })) };
}

/** @param root "" and "." are the whole commit, which is always there */
async function hasDirectory(git: Git, commit: string, root: string, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<boolean> {
  if (root === "" || root === ".") return true;
  const [entry = ""] = (await git.run(["ls-tree", "-d", "-z", "--full-tree", commit, "--", root], options)).split("\0");
  return / tree /.test(entry.slice(0, entry.indexOf("\t")));
}

/** Source: git-ls-tree(1), "Output format": `<mode> <type> <object> <size>\t<file>\0`. */
function parseTree(output: string): readonly TreeEntry[] {
  return output.split("\0").filter((line) => line !== "").flatMap((line) => {
    const tab = line.indexOf("\t");
    const [mode, type, id, size] = line.slice(0, tab).split(/ +/);
    return type === "blob" ? [{ mode: mode!, id: id!, bytes: Number(size), name: line.slice(tab + 1) }] : [];
  });
}

async function linkTarget(link: TreeEntry, byName: ReadonlyMap<string, TreeEntry>, contents: (wanted: readonly TreeEntry[]) => Promise<readonly string[]>): Promise<TreeEntry | undefined> {
  let at: TreeEntry | undefined = link;
  for (let links = 0; at?.mode === "120000"; links++) {
    if (links === linksMax) return undefined;
    const [to] = await contents([at]);
    at = to!.startsWith("/") ? undefined : byName.get(posix.join(posix.dirname(at.name), to!));
  }
  return at;
}

/** Source: git-cat-file(1), "Batch output": `<object> blob <size>\n<content>\n` for each. */
async function readBlobs(git: Git, wanted: readonly TreeEntry[], signal: AbortSignal): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const bytes = wanted.reduce((sum, each) => sum + each.bytes, 0);
  if (bytes > setBytesMax) throw new GitError(`its manifests have ${bytes} bytes; at most ${setBytesMax} are read`);
  const output = await git.bytes(["cat-file", "--batch"], { stdin: wanted.map(({ id }) => `${id}\n`).join(""), bytesMax: bytes + wanted.length * 128, timeoutMs: readMsMax, signal });
  const texts: string[] = [];
  let at = 0;
  for (const { id, bytes: size } of wanted) {
    const line = output.indexOf(10, at);
    const head = output.subarray(at, line).toString("latin1");
    if (head !== `${id} blob ${size}`) throw new GitError(`git cat-file answered ${JSON.stringify(head.slice(0, 100))} for ${id}`);
    texts.push(output.subarray(line + 1, line + 1 + size).toString("utf8"));
    at = line + 1 + size + 1;
  }
  return texts;
}
