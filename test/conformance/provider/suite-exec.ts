import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ProviderError } from "../../../src/providers/provider.ts";
import { eventually } from "../../harness/eventually.ts";
import { odd, type Kit } from "./suite-kit.ts";

const tenMegabytes = 10 * 1024 * 1024;

/** Commands inside: what they are given, what they give back, and how they end. */
export function execCases({ test, signal, running, shared, run, patient }: Kit): void {
  test("exec tells stdout, stderr and the exit code apart, and feeds stdin", async (provider) => {
    const id = await shared(provider);
    const { code, stdout, stderr } = await run(provider, id, ["sh", "-c", "cat; echo err >&2; exit 7"], "in");
    assert.deepEqual([code, stdout.toString(), stderr], [7, "in", "err\n"]);
  });
  test("exec tells every exit code, and a signal", async (provider) => {
    const id = await shared(provider);
    for (const code of [0, 1, 42, 125, 255]) assert.equal((await run(provider, id, ["sh", "-c", `exit ${code}`])).code, code);
    const { code, signal: by } = await run(provider, id, ["sh", "-c", "kill -KILL $$"]);
    assert.ok(code === 137 || by === "SIGKILL", `${code} ${by}`);
  });
  test("exec hands on arguments and environment byte for byte", async (provider) => {
    const id = await shared(provider);
    const { stdout } = await run(provider, id, ["sh", "-c", 'printf "%s|%s|%s|%s" "$1" "$2" "$FROM_SPEC" "$FROM_EXEC"', "sh", odd, ""], "", { env: { FROM_EXEC: odd } });
    assert.equal(stdout.toString(), [odd, "", odd, odd].join("|"));
  });
  test("exec's own environment goes before the instance's, and its directory too", async (provider) => {
    const id = await shared(provider);
    assert.equal((await run(provider, id, ["sh", "-c", 'echo "$WHO $ALSO $PWD"'], "", { env: { WHO: "exec" }, workingDir: "/tmp" })).stdout.toString(), "exec spec /tmp\n");
    assert.equal((await run(provider, id, ["sh", "-c", 'echo "$WHO $PWD"'])).stdout.toString(), "spec /\n");
  });
  test("exec carries 10 MB through, binary safe", async (provider) => {
    const id = await shared(provider);
    const data = Buffer.alloc(tenMegabytes, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
    const { code, stdout } = await run(provider, id, ["cat"], data);
    assert.equal(code, 0);
    assert.ok(stdout.equals(data));
  });
  test("files go in and out whole", async (provider) => {
    const [from, to] = [await running(provider), await shared(provider)];
    const data = randomBytes(tenMegabytes);
    assert.equal((await run(provider, from, ["sh", "-c", "mkdir -p files/deep && cat > 'files/deep/a file' && chmod 751 'files/deep/a file' && ln -s deep/none files/link"], data, { workingDir: "/tmp" })).code, 0);
    const packed = await run(provider, from, ["tar", "-cf", "-", "files"], "", { workingDir: "/tmp" });
    assert.equal(packed.code, 0, packed.stderr);
    assert.equal((await run(provider, from, ["rm", "-r", "files"], "", { workingDir: "/tmp" })).code, 0);
    const unpacked = await run(provider, to, ["tar", "-xf", "-"], packed.stdout, { workingDir: "/tmp" });
    assert.equal(unpacked.code, 0, unpacked.stderr);
    assert.match((await run(provider, to, ["sh", "-c", "ls -l files/deep files/link && rm files/link"], "", { workingDir: "/tmp" })).stdout.toString(), /^(?=[^]*-rwxr-x--x )(?=[^]*link -> deep\/none)/);
    assert.ok((await run(provider, to, ["cat", "files/deep/a file"], "", { workingDir: "/tmp" })).stdout.equals(data));
    assert.equal((await run(provider, to, ["rm", "-r", "files"], "", { workingDir: "/tmp" })).code, 0);
  });
  test("exec gives a terminal", async (provider) => {
    const id = await shared(provider);
    const stream = await provider.exec(id, ["sh", "-c", "[ -t 0 ] && [ -t 1 ] && echo terminal; read line; echo got $line"], { tty: { columns: 80, rows: 24 } });
    let said = "";
    stream.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await eventually(() => assert.match(said, /terminal/), patient(5000), 20);
    stream.stdin.write("hello\n");
    await eventually(() => assert.match(said, /got hello/), patient(5000), 20);
    assert.equal((await stream.exit).code, 0);
  });
  test("exec can be asked to end", async (provider) => {
    const id = await shared(provider);
    const stream = await provider.exec(id, ["sh", "-c", "trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.1; done"], {});
    let said = "";
    stream.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    stream.stderr.resume();
    await eventually(() => assert.match(said, /up/), patient(5000), 20);
    stream.kill("SIGTERM");
    const { code, signal: by } = await stream.exit;
    // What it was run by may be asked as well, and end of that.
    assert.ok(code === 3 || by === "SIGTERM", `${code} ${by}`);
    assert.equal(said, "up\nasked\n");
  });
  test("exec can be ended", async (provider) => {
    const id = await shared(provider);
    const stream = await provider.exec(id, ["sleep", "1000"], {});
    stream.stdout.resume();
    stream.stderr.resume();
    stream.kill("SIGKILL");
    const { code, signal: by } = await stream.exit;
    assert.ok(code === 137 || by === "SIGKILL", `${code} ${by}`);
  });
  test("exec ends with its signal", async (provider) => {
    const id = await shared(provider);
    const abort = new AbortController();
    const stream = await provider.exec(id, ["sleep", "1001"], { signal: abort.signal });
    stream.stdout.resume();
    stream.stderr.resume();
    abort.abort(new Error("enough"));
    await assert.rejects(stream.exit, /enough/);
    await eventually(async () => assert.doesNotMatch((await run(provider, id, ["sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null"])).stdout.toString(), /^sleep 1001 $/m), patient(5000));
  });
  test("many commands run at the same time", async (provider) => {
    const id = await shared(provider);
    const said = await Promise.all(Array.from({ length: 20 }, async (_, i) => (await run(provider, id, ["sh", "-c", `cat; echo ${i}`], `${i} `)).stdout.toString()));
    assert.deepEqual(said, Array.from({ length: 20 }, (_, i) => `${i} ${i}\n`));
  });
  test("exec tells why a command cannot be started, and nothing of it on the command's streams", async (provider) => {
    const id = await shared(provider);
    const rows = [
      ["CommandNotFound", ["no-such-command"], {}], ["CommandNotFound", ["/no/such/command"], {}],
      ["CommandNotExecutable", ["/proc"], {}], ["DirectoryNotFound", ["sh", "-c", "true"], { workingDir: "/no/such/place" }],
    ] as const;
    for (const [reason, argv, more] of rows) {
      for (const terminal of [{}, { tty: { columns: 80, rows: 24 } }]) {
        let said = "";
        const failed = async () => {
          const stream = await provider.exec(id, argv, { ...more, ...terminal });
          for (const each of [stream.stdout, stream.stderr]) each.on("data", (chunk: Buffer) => (said += chunk.toString()));
          stream.stdin.end();
          return await stream.exit;
        };
        await assert.rejects(failed, { name: "ProviderError", reason }, `${argv.join(" ")} ${JSON.stringify(terminal)}`);
        assert.equal(said, "");
      }
    }
  });
  test("exec hands on what only looks as if it could not be started", async (provider) => {
    const id = await shared(provider);
    const words = 'OCI runtime exec failed: exec failed: exec: "x": executable file not found in $PATH: unknown';
    const { code, stdout } = await run(provider, id, ["sh", "-c", `echo '${words}'; exit 127`]);
    assert.deepEqual([code, stdout.toString()], [127, `${words}\n`]);
  });
  test("exec refuses what does not run", async (provider) => {
    const id = await running(provider);
    await provider.stop(id, 0, signal());
    await assert.rejects(run(provider, id, ["true"]), ProviderError);
  });
}
