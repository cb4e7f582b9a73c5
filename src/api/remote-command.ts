/**
 * The words of Kubernetes' remote command protocol: each WebSocket message is one byte that names a channel, then bytes of
 * it. Source: k8s.io/apimachinery/pkg/util/remotecommand and kubectl 1.32's traffic.
 */
export const commandChannels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Newest first. Only v5 can say that stdin has ended. */
export const commandProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

/**
 * Port forwarding over WebSocket: the bytes of a SPDY/3.1 connection in binary messages, as kubectl does it (KEP-4006), or
 * channels, as client libraries do (`server/port-socket.ts`).
 */
export const forwardProtocols = ["SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"] as const;
export const channelForwardProtocol = forwardProtocols[1];

/** What is spoken on connections that become SPDY/3.1 themselves, as older clients ask. */
export const spdyProtocols = { command: "v4.channel.k8s.io", forward: "portforward.k8s.io" } as const;

/** How a command ended, as the error channel tells it. */
export interface CommandStatus {
  readonly metadata: Record<string, never>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes: readonly { readonly reason: string; readonly message: string }[] };
}

export function statusOfExit(code: number): CommandStatus {
  if (code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {}, status: "Failure", reason: "NonZeroExitCode", message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

/** The command's end is not known: the way to it broke. */
export function statusOfFailure(message: string): CommandStatus {
  return { metadata: {}, status: "Failure", reason: "InternalError", message };
}

/** The exit code a status tells; undefined when it tells of trouble instead. */
export function exitOfStatus({ status, details }: CommandStatus): number | undefined {
  if (status === "Success") return 0;
  const text = details?.causes.find((each) => each.reason === "ExitCode")?.message;
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}

/** What the resize channel carries. */
export interface TerminalSize {
  readonly Width: number;
  readonly Height: number;
}

/** Numbers of signals, for exit codes: 128 and the number, as shells count. */
const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 };

export function exitCodeOf({ code, signal }: { readonly code: number | undefined; readonly signal: string | undefined }): number {
  return code ?? 128 + (signalNumbers[signal ?? ""] ?? 0);
}
