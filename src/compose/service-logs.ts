import type { Readable } from "node:stream";
import type { Supervisors } from "../../controllers/service/supervisor.ts";
import type { ServiceLogs } from "../server/service-log.ts";
import type { Store } from "../store/store.ts";
import { runningInstance, type RunningInstanceParts } from "./running-instance.ts";

export interface ServiceLogsParts extends RunningInstanceParts {
  readonly store: Pick<Store, "get">;
  readonly supervisors: Supervisors;
}

/** Finds where a Service runs and opens its log there. */
export function createServiceLogs(parts: ServiceLogsParts): ServiceLogs {
  return async (ref, { follow = false, previous = false, tailLines, signal }) => {
    const service = await parts.store.get("Service", ref);
    const { provider, instance } = await runningInstance(parts, { namespace: ref.namespace, name: service.spec.workspace }, `Cannot read the log of service "${ref.name}"`, signal);
    const stream = await parts.supervisors.of(provider, instance).logs(service.metadata.uid, { follow, previous, tailLines, signal });
    // Its end ends the following.
    if (!follow) stream.stdin.end();
    stream.stderr.resume();
    const out: Readable = stream.stdout;
    out.once("close", () => stream.kill("SIGKILL"));
    return out;
  };
}
