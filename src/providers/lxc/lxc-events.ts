import { messageOf } from "../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { ProviderError } from "../provider.ts";
import { watchScript } from "./look-scripts.ts";

/** Bytes of an unfinished line; an id is below a hundred. */
const lineBytesMax = 64 * 1024;

/** Ids of instances whose init was started or has ended, as the hook of each tells. */
export async function* containerHints(transport: Transport, watchDir: string, cluster: string, signal: AbortSignal): AsyncIterable<string> {
  const stream = await transport.exec(["sh", "-c", watchScript, "sh", watchDir], { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new ProviderError("EngineUnreachable", messageOf(error), true, { cause: error });
  });
  stream.stderr.resume();
  stream.stdout.setEncoding("utf8");
  try {
    let rest = "";
    for await (const chunk of stream.stdout as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineBytesMax) throw new ProviderError("EngineFailed", "a hint of a container does not end", true);
      for (const id of lines) if (id === "" || id.startsWith(`vendetta-${cluster}-`)) yield id;
    }
    await stream.exit;
  } finally {
    stream.kill();
  }
}
