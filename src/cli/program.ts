import { packageVersion } from "./package-info.ts";
import { ExitError, FailureError, type CliWorld } from "./world.ts";

const interruptedCode = 130;

/**
 * Runs one command line to its end and answers the exit code. Everything a user reads goes to the world's stdout and
 * stderr. Each command's code is loaded when it is called; a bare `--version` loads none, commander included, as the time
 * it takes is measured.
 * @param argv without the interpreter and the script: `["get", "services"]`
 */
export async function runCli(argv: readonly string[], world: CliWorld): Promise<number> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    world.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  // No `using` here: where tsc lowers it, it forgets to rewrite the paths of dynamic imports.
  const interrupt = interruption(world);
  try {
    if (isPlainGet(argv)) await plainGet(argv.slice(1), world, interrupt.signal);
    else {
      const { parseCommandLine } = await import("./create-program.ts");
      return await parseCommandLine(argv, world, interrupt.signal);
    }
    return 0;
  } catch (error) {
    if (error instanceof ExitError) return error.exitCode;
    if (interrupt.signal.aborted) return interruptedCode;
    const { errorLine } = await import("./error-line.ts");
    world.stderr.write(`${errorLine(error instanceof FailureError ? error.cause : error)}\n`);
    return error instanceof FailureError ? error.exitCode : 1;
  } finally {
    interrupt[Symbol.dispose]();
  }
}

/** `get` and names, no options: typed most often, and with someone waiting. It needs no grammar, whose loading is a sixth of its time. */
function isPlainGet([command, ...words]: readonly string[]): boolean {
  return command === "get" && words.length > 0 && words.every((word) => !word.startsWith("-"));
}

async function plainGet(words: readonly string[], world: CliWorld, signal: AbortSignal): Promise<void> {
  const [{ inSession }, { get }] = await Promise.all([import("./create-session.ts"), import("./commands/get.ts")]);
  await inSession(world, {}, signal, (session) => get(session, words, {}));
}

/** A signal that aborts on SIGINT, SIGTERM, or when nobody reads stdout any more. */
function interruption({ signal, stdout }: CliWorld): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error("interrupted"));
  // `get … | head` is no failure: there is only nobody left to write for.
  const onError = () => abort();
  stdout.on("error", onError);
  if (signal === undefined) for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, abort);
  else if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      signal?.removeEventListener("abort", abort);
      for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, abort);
    },
  };
}
