import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { codeOf } from "../base/errors.ts";
import { createCrd } from "../api/crd.ts";
import { isBuiltin, type KindDefinition } from "../api/kind.ts";
import { kindNames, kinds } from "../api/registry.ts";

/** The text of every file in crds/, by file name. Kubernetes' own kinds have none: Kubernetes knows them. */
export function renderCrds(): ReadonlyMap<string, string> {
  const own = kindNames.map((name): KindDefinition<never> => kinds[name]).filter((kind) => !isBuiltin(kind));
  return new Map(
    own.map((kind) => [`${kind.plural}.${kind.group}.yaml`, `# Generated from src/api by 'node dist/src/cli/generate-crds.js'. Do not edit.\n${stringify(createCrd(kind), { lineWidth: 120, aliasDuplicateObjects: false })}`]),
  );
}

/** Names of the files in `directory` that are not as they would be generated: changed, missing, or of no kind. */
export async function staleCrds(directory: string): Promise<readonly string[]> {
  const rendered = renderCrds();
  const stale: string[] = [];
  for (const [name, text] of rendered) if ((await readIfThere(join(directory, name))) !== text) stale.push(name);
  const present = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  return [...stale, ...present.filter((name) => !rendered.has(name))];
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes crds/ of the current directory, or with --check exits 1 and names what differs. */
async function main(args: readonly string[]): Promise<number> {
  const directory = "crds";
  if (args.includes("--check")) {
    const stale = await staleCrds(directory);
    for (const name of stale) process.stderr.write(`${directory}/${name} differs from the schemas in src/api; run 'node dist/src/cli/generate-crds.js'\n`);
    return stale.length === 0 ? 0 : 1;
  }
  await mkdir(directory, { recursive: true });
  for (const [name, text] of renderCrds()) {
    await writeFile(join(directory, name), text);
    process.stdout.write(`wrote ${directory}/${name}\n`);
  }
  return 0;
}

if (process.argv[1] !== undefined && /[/\\]generate-crds\.[jt]s$/.test(process.argv[1])) process.exitCode = await main(process.argv.slice(2));
