import { TransportError } from "../transport.ts";

/** Why there is no connection. Each asks something else of the user. */
export type SshFailure =
  /** No TCP connection, or no SSH behind it, or it was lost. */
  | "Unreachable"
  /** The machine's key is not one that was pinned; refused before anything secret was sent. */
  | "HostKeyRefused"
  /** The machine took none of our keys or passwords. */
  | "AuthenticationFailed"
  /** It answered, but not as an SSH server that we can talk to. */
  | "HandshakeFailed"
  /** We closed it. */
  | "Closed";

/** There is no way to the machine, or there is none any more. */
export class SshError extends TransportError {
  readonly failure: SshFailure;
  constructor(failure: SshFailure, message: string, mayHaveRun: boolean, options?: ErrorOptions) {
    super(message, mayHaveRun, options);
    this.failure = failure;
  }
  /** Trying again without a change of ours or of the machine's is of no use. */
  get isLasting(): boolean {
    return this.failure === "HostKeyRefused" || this.failure === "AuthenticationFailed";
  }
}
