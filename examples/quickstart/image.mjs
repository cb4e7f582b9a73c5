// Makes the image vendetta-quickstart:local out of this machine's own node and shell, so that the quickstart works with
// no registry in reach. Run by `npm start`; does nothing when the image is there, or when no Docker engine answers.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Docker from "dockerode";

const image = "vendetta-quickstart:local";
/** What the supervisor's shell script needs, and what one misses first when looking around in a container. */
const programs = ["sh", "cat", "cp", "date", "dd", "env", "head", "kill", "ls", "mkdir", "mkfifo", "mv", "ps", "rm", "setsid", "sleep", "tail", "true"];

const socketPath = process.env.DOCKER_HOST?.startsWith("unix://") ? process.env.DOCKER_HOST.slice("unix://".length) : "/var/run/docker.sock";
const docker = new Docker({ socketPath, timeout: 120_000 });

try {
  await docker.ping();
} catch (error) {
  console.error(`No Docker engine answers at ${socketPath} (${error.code ?? error.message}): the quickstart will run as plain processes.`);
  process.exit(0);
}
const made = `node ${process.version}`;
const existing = await docker.getImage(image).inspect().catch((error) => {
  if (error.statusCode === 404) return undefined;
  throw error;
});
if (existing?.Config?.Labels?.["vendetta.dev/quickstart"] === made) process.exit(0);

console.error(`Making the Docker image ${image} (${made}) …`);
const root = mkdtempSync(join(tmpdir(), "vendetta-image-"));
try {
  for (const folder of ["bin", "tmp", "etc", "proc", "sys", "dev", "root", "app", "data"]) mkdirSync(join(root, folder));
  mkdirSync(join(root, "usr"));
  symlinkSync("../bin", join(root, "usr/bin"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
  copyWithLibraries(process.execPath, "/bin/node");
  for (const program of programs) {
    const path = find(program);
    if (path !== undefined) copyWithLibraries(path, `/bin/${program}`);
  }
  const tar = spawn("tar", ["--numeric-owner", "--owner=0", "--group=0", "-C", root, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
  const progress = await docker.importImage(tar.stdout, { repo: "vendetta-quickstart", tag: "local", changes: [`LABEL vendetta.dev/quickstart="${made}"`, 'ENV PATH=/bin', 'CMD ["/bin/sh"]'] });
  await new Promise((resolve, reject) => docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())));
} finally {
  rmSync(root, { recursive: true, force: true });
}

function find(program) {
  return ["/bin", "/usr/bin", "/usr/local/bin"].map((folder) => join(folder, program)).find(existsSync);
}

/** Copies a program to `target` in the image, and every shared library the loader would bring in, to where it looks for it. */
function copyWithLibraries(path, target) {
  copyFileSync(realpathSync(path), join(root, target));
  const told = execFileSync("ldd", [path], { encoding: "utf8" });
  for (const [, library] of told.matchAll(/(?:=> )?(\/\S+) \(0x/g)) {
    if (existsSync(join(root, library))) continue;
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(root, library));
  }
}
