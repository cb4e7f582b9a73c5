import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

/** A room of the house and the rooms it may import from; the most specific prefix of a file's path is its room. */
const rooms: readonly (readonly [room: string, allowed: readonly string[]])[] = [
  ["src/base", []],
  ["src/api", ["src/base"]],
  ["src/manifests", ["src/base", "src/api"]],
  ["src/store", ["src/base", "src/api"]],
  ["src/runtime", ["src/base", "src/api", "src/store/store.ts"]],
  ["src/transports", ["src/base"]],
  ["src/providers", ["src/base", "src/transports/transport.ts"]],
  ["controllers", ["src/base", "src/api", "src/manifests", "src/runtime", "src/store/store.ts", "src/sources/source-reader.ts", "src/transports/transport.ts", "src/providers/provider.ts"]],
  ["src/server", ["src/base", "src/api", "src/store/store.ts"]],
  ["src/sources", ["src/base", "src/api", "src/manifests", "src/transports/transport.ts"]],
  ["src/client", ["src/base", "src/api", "src/store/store.ts"]],
  ["src/access", ["src/base", "src/api", "src/transports"]],
  ["src/cli", ["src/base", "src/api", "src/manifests", "src/store/store.ts", "src/client", "src/access/access.ts"]],
  ["src/main.ts", ["src", "controllers"]],
  ["src/compose", ["src", "controllers"]],
  ["test", ["src", "controllers", "test"]],
];

export interface ImportEdge {
  readonly from: string;
  readonly to: string;
}

const within = (path: string, room: string) => path === room || path.startsWith(`${room}/`);

/** Why an import is not allowed; undefined when it is. Paths are relative to the project's root. */
export function banOf({ from, to }: ImportEdge): string | undefined {
  const home = rooms.find(([room]) => within(from, room));
  if (home === undefined) return `${from}: is in no room of the import table`;
  const [room, allowed] = home;
  if (within(to, room) || allowed.some((each) => within(to, each))) return undefined;
  return `${from}: ${room} may not import ${to}`;
}

/** Every TypeScript file below a folder. */
export function sourceFiles(root: string, ...folders: string[]): string[] {
  return folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")).map((name) => join(folder, name))).sort();
}

/** Relative imports of a file, type imports and dynamic imports included. */
export function importsOf(root: string, file: string): { readonly edges: ImportEdge[]; readonly packages: string[] } {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), "utf8"), true, true);
  const edges: ImportEdge[] = [];
  const packages: string[] = [];
  for (const { fileName } of importedFiles) {
    if (fileName.startsWith(".")) edges.push({ from: file, to: relative(root, resolve(root, dirname(file), fileName)) });
    else packages.push(fileName);
  }
  return { edges, packages };
}

/** One cycle among the edges, as a path with both ends named; undefined when there is none. */
export function cycleAmong(edges: readonly ImportEdge[]): readonly string[] | undefined {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    if (state.get(file) === "done") return undefined;
    if (state.get(file) === "open") return [...path.slice(path.indexOf(file)), file];
    state.set(file, "open");
    path.push(file);
    for (const to of next.get(file) ?? []) {
      const cycle = visit(to);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    state.set(file, "done");
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
