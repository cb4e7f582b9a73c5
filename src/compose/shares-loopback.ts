import type { Transport } from "../transports/transport.ts";

const askMsMax = 10_000;

/**
 * Whether two ways lead to the same loopback interface: the same kernel since it booted, and the same network namespace of it
 * (namespaces(7)). Without /proc the answer is no. @throws TransportError, TimeoutError, the signal's reason
 */
export async function shareLoopback(one: Transport, other: Transport, signal: AbortSignal): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((each) => networkOf(each, signal)));
  return first !== undefined && first === second;
}

async function networkOf(transport: Transport, signal: AbortSignal): Promise<string | undefined> {
  const { code, stdout } = await transport.run(["sh", "-c", "cat /proc/sys/kernel/random/boot_id && readlink /proc/self/ns/net"], { timeoutMs: askMsMax, signal });
  return code === 0 && /^[0-9a-f-]{36}\nnet:\[\d+\]\n$/.test(stdout) ? stdout : undefined;
}
