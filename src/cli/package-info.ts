import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The directory this package is installed in: the nearest one above this file with a package.json. */
export function packageRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, "package.json"))) {
    const above = dirname(directory);
    if (above === directory) throw new Error(`Cannot find the package.json of vendetta above ${import.meta.dirname}: install it again`);
    directory = above;
  }
  return directory;
}

export function packageVersion(): string {
  return String((JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version?: unknown }).version ?? "0.0.0");
}
