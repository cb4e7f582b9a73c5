import { problemText, type ManifestProblem } from "../manifests/manifest-problem.ts";
import { readManifests, type ManifestNamespace, type ManifestObject, type ManifestText } from "../manifests/read-manifests.ts";
import { setProblems } from "../manifests/set-problems.ts";
import type { Service } from "../api/service.ts";
import { printable } from "./style.ts";
import { CliError } from "./world.ts";

const problemsMax = 20;
const problemCharactersMax = 400;

/** What is wrong with manifests, one line a problem, all of them up to a bound. */
export class ManifestError extends CliError {
  override readonly name = "ManifestError";
  constructor(problems: readonly ManifestProblem[]) {
    const lines = problems.map(problemText);
    const shown = lines.slice(0, problemsMax).map((each) => printable(each.length > problemCharactersMax ? `${each.slice(0, problemCharactersMax)}…` : each));
    if (lines.length > problemsMax) shown.push(`… and ${lines.length - problemsMax} more`);
    super(shown.join("\n"));
  }
}

/** Every object of the texts, each checked on its own. @throws ManifestError with everything found; CliError when there is no object */
export function parseManifests(texts: readonly ManifestText[], room: ManifestNamespace): readonly ManifestObject[] {
  const { objects, problems } = readManifests(texts, room);
  if (problems.length > 0) throw new ManifestError(problems);
  if (objects.length === 0) throw new CliError(`no objects found in ${texts.map((text) => text.name).join(", ")}`);
  return objects;
}

/** See `setProblems`. @throws ManifestError */
export function checkManifestSet(objects: readonly ManifestObject[], stored: readonly Service[]): void {
  const problems = setProblems(objects, stored);
  if (problems.length > 0) throw new ManifestError(problems);
}
