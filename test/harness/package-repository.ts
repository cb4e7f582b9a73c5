import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

export interface Package {
  readonly name: string;
  /** Text of its programs, by path. */
  readonly programs: Readonly<Record<string, string>>;
}

/** Serves a Debian repository that holds one package, on the loopback interface: a flat one (sources.list(5)), which nobody signed. */
export async function servePackage(port: number, made: Package): Promise<AsyncDisposable> {
  const deb = build(made);
  const filename = `${made.name}_1_all.deb`;
  const index = `${control(made)}Filename: ./${filename}\nSize: ${deb.length}\nSHA256: ${createHash("sha256").update(deb).digest("hex")}\n`;
  const files = new Map<string, string | Buffer>([["Packages", index], [filename, deb]]);
  const server = createServer((request, response) => {
    const found = files.get(basename(request.url ?? ""));
    response.writeHead(found === undefined ? 404 : 200).end(found);
  }).listen(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => server.once("listening", resolve).once("error", reject));
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const control = ({ name }: Package) => `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: made by a test\n`;

function build(made: Package): Buffer {
  const root = mkdtempSync(join(tmpdir(), "vd-package-"));
  try {
    const put = (path: string, text: string, mode: number) => {
      mkdirSync(join(root, "root", dirname(path)), { recursive: true });
      writeFileSync(join(root, "root", path), text, { mode });
    };
    put("DEBIAN/control", control(made), 0o644);
    for (const [path, text] of Object.entries(made.programs)) put(path, text, 0o755);
    execFileSync("dpkg-deb", ["--root-owner-group", "--build", join(root, "root"), join(root, "made.deb")], { stdio: "ignore" });
    return readFileSync(join(root, "made.deb"));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
