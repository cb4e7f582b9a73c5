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

export interface LoginOutcome {
  /** In words: "key ~/.ssh/id_ed25519 (refused), password (the machine does not offer it, only publickey)". */
  readonly tried: string;
  /** Methods the machine would go on with, by their names in RFC 4252: "publickey", "password" … */
  readonly offered: readonly string[];
}

/** There is no way to the machine, or there is none any more. */
export class SshError extends TransportError {
  readonly failure: SshFailure;
  /** What was tried to get in, when it came to that. */
  readonly login: LoginOutcome | undefined;
  constructor(failure: SshFailure, message: string, mayHaveRun: boolean, options: ErrorOptions & { readonly login?: LoginOutcome } = {}) {
    super(message, mayHaveRun, options);
    this.failure = failure;
    this.login = options.login;
  }
  /** Trying again without a change of ours or of the machine's is of no use. */
  get isLasting(): boolean {
    return this.failure === "HostKeyRefused" || this.failure === "AuthenticationFailed";
  }
}
