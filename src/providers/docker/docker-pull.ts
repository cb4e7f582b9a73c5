import type Docker from "dockerode";
import type { Clock } from "../../base/clock.ts";
import { ProviderError, type Progress } from "../provider.ts";
import { callEngine } from "./docker-client.ts";

interface PullEvent {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

export interface PullParts {
  readonly docker: Docker;
  readonly socketPath: string;
  readonly clock: Clock;
}

const toMebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

/** Fetches an image, telling of its begin and its end, and in between how far it has come. @throws ProviderError ImageNotFound or ImagePullFailed, with the registry's own words and the next step */
export async function pullImage({ docker, socketPath, clock }: PullParts, image: string, progress: Progress, signal: AbortSignal): Promise<void> {
  progress(`pulling ${image}`, "Pulling");
  const begun = clock.monotonic();
  let stream: NodeJS.ReadableStream;
  try {
    stream = await callEngine(socketPath, signal, () => docker.pull(withTag(image), { abortSignal: signal }) as Promise<NodeJS.ReadableStream>);
  } catch (error) {
    if (signal.aborted || (error instanceof ProviderError && error.reason === "EngineUnreachable")) throw error;
    throw pullError(image, error instanceof Error ? error.message : String(error), error);
  }
  const layers = new Map<string, { readonly current: number; readonly total: number }>();
  const sum = (part: "current" | "total") => [...layers.values()].reduce((all, layer) => all + layer[part], 0);
  const cancel = () => (stream as unknown as { destroy(): void }).destroy();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(
        stream,
        (error) => (error ? reject(error) : resolve()),
        (event: PullEvent) => {
          const { current, total } = event.progressDetail ?? {};
          if (event.id === undefined || current === undefined || total === undefined || event.status !== "Downloading") return;
          layers.set(event.id, { current, total });
          progress(`pulling ${image}: ${toMebibytes(sum("current"))} of ${toMebibytes(sum("total"))} MiB`);
        },
      );
      stream.once("close", () => signal.aborted && reject(signal.reason as Error));
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw pullError(image, error instanceof Error ? error.message : String(error), error);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  const fetched = layers.size === 0 ? "" : `, ${toMebibytes(sum("total"))} MiB fetched`;
  progress(`pulled ${image} in ${((clock.monotonic() - begun) / 1000).toFixed(1)} s${fetched}`, "Pulled");
}

/** Without a tag the engine would fetch every one there is. */
function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  return last.includes(":") || last.includes("@") ? image : `${image}:latest`;
}

function pullError(image: string, said: string, cause: unknown): ProviderError {
  const words = said.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
  if (/not found|manifest unknown|does not exist|denied/i.test(words) && !/no such host|lookup/.test(words)) {
    return new ProviderError("ImageNotFound", `image ${image} cannot be had: ${words}; check its name, or 'docker login' on the node if it is private`, true, { cause });
  }
  return new ProviderError("ImagePullFailed", `image ${image} could not be pulled: ${words}; is the registry reachable from the node?`, true, { cause });
}
