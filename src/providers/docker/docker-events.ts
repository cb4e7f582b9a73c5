import type Docker from "dockerode";
import { labels } from "./container-config.ts";
import { callEngine } from "./docker-client.ts";

/** Bytes of an unfinished line; an event is a few hundred. */
const lineBytesMax = 256 * 1024;

/** Names of our containers that something happened to. What execs do is left out: every health check would be an event. */
export async function* containerEvents(docker: Docker, socketPath: string, cluster: string, signal: AbortSignal): AsyncIterable<string> {
  const stream = await callEngine(socketPath, signal, () => docker.getEvents({ filters: { type: ["container"], label: [`${labels.cluster}=${cluster}`] }, abortSignal: signal }));
  stream.setEncoding("utf8");
  let rest = "";
  // Whatever happened before the stream was open is not in it.
  yield "";
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineBytesMax) throw new Error("the engine sent an event that does not end");
    for (const line of lines) {
      if (line.trim() === "") continue;
      const event = JSON.parse(line) as { Action?: string; Actor?: { Attributes?: { name?: string } } };
      if (event.Action?.startsWith("exec_") !== true) yield event.Actor?.Attributes?.name ?? "";
    }
  }
}
