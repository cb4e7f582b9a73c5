import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/home.ts";
import type { JumpReach, SshReach } from "../api/ssh-reach.ts";

/** Who is meant on which machine, after the user's ssh configuration was asked. */
export interface SshAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

export interface SshMachine extends SshAddress {
  /** What was typed for the host: an alias of the configuration, or its address. */
  readonly alias: string;
  /** The private key that was asked for: tried before all others. */
  readonly identity?: string | undefined;
  /** Private keys to try, the likeliest first. Absolute paths; they may not exist. */
  readonly identityFiles: readonly string[];
  /** Socket of the agent to ask. Absent: none. */
  readonly agentSocket?: string | undefined;
  /** The machine to go through. */
  readonly jump?: SshMachine | undefined;
}

/** A machine and the keys of which it must show one. */
export type PinnedAddress = Omit<JumpReach, "jump">;

/** How far something is. A step is told when it begins, and once more when it has ended well; one that failed is thrown. */
export interface Step {
  readonly name: string;
  /** "remark": done, and there is something the user should know. */
  readonly state: "running" | "done" | "remark";
  /** What came of it; "" while it runs. */
  readonly text: string;
}

/** The person at the keyboard. */
export interface Person {
  /** False: nobody answers, and nothing is asked. */
  readonly isThere: boolean;
  confirm(question: string): Promise<boolean>;
  /** What is typed is not shown. */
  secret(question: string): Promise<string>;
}

export interface AccessWish {
  readonly person: Person;
  /** Fingerprints that the user vouches for. */
  readonly acceptHostKeys: readonly string[];
  /** Given beforehand, so that nobody needs to be asked. */
  readonly password?: string | undefined;
  readonly onStep: (step: Step) => void;
  readonly signal: AbortSignal;
}

export interface EnrolWish extends AccessWish {
  /** The way that is on record already: its host keys are the only ones accepted. */
  readonly known?: SshReach | undefined;
  /** Where a Docker engine must answer, or with `known` is to be asked. Absent: it is looked for in the usual places, and may be missing. */
  readonly dockerSocketPath?: string | undefined;
}

/** A machine that the cluster can get into. */
export interface Enrolment {
  readonly way: SshReach;
  /** Where its Docker engine listens, when that is not the usual place. */
  readonly dockerSocketPath?: string | undefined;
  /** Whether anything was changed on the machine, or on those before it. */
  readonly changed: boolean;
  /** Takes away again what was put there. @throws AccessError saying what is left behind */
  undo(): Promise<void>;
  close(): Promise<void>;
}

/** What became of the cluster's key on one machine. */
export interface Withdrawal {
  readonly where: string;
  /** False: it was not there. */
  readonly removed: boolean;
}

/** What a cluster's Workspaces have left on a machine, in whole paths: nothing removes it but its user. */
export interface KeptThere {
  readonly paths: readonly string[];
  /** How many there are besides. */
  readonly more: number;
}

/** A way that is open, by the cluster's key. */
export interface OpenWay {
  /** Looks what directories there are at its end. @throws AccessError */
  kept(): Promise<KeptThere>;
  /** Takes the cluster's key away from the machine, and from those gone through of which this is true; the farthest one first. */
  withdraw(jumpToo: (machine: SshAddress) => boolean): Promise<readonly Withdrawal[]>;
  close(): Promise<void>;
}

/** The host keys of a way, as they are on record and as the machines show them now. */
export interface TrustedWay {
  readonly way: SshReach;
  readonly changes: readonly { readonly where: string; readonly before: readonly string[]; readonly now: string }[];
}

/**
 * Getting into machines as the user at the keyboard does, and leaving the cluster's key there, so that the server can. Runs
 * in the user's process: the agent, the keys, the configuration and the terminal are the user's; the server has the
 * cluster's key and nothing else.
 */
export interface MachineAccess {
  /** What `[user@]host[:port]` means to the user's ssh. Connects to nothing. @throws AccessError */
  resolve(target: string, options?: { readonly jump?: string | undefined; readonly identity?: string | undefined }): Promise<SshMachine>;
  /**
   * Pins the host key, gets in by what there is, installs the cluster's key, gets in by that, and looks at the machine; first
   * on the machine to go through. What it installed is gone again when it throws. @throws AccessError naming the step, the signal's reason
   */
  enrol(machine: SshMachine, wish: EnrolWish): Promise<Enrolment>;
  /** Gets in as the server does. @throws AccessError */
  open(way: SshReach, signal: AbortSignal): Promise<OpenWay>;
  /** Asks each machine of a way for its host key, and the user about each that is not the pinned one. @throws AccessError, with nothing changed */
  trust(way: SshReach, wish: AccessWish): Promise<TrustedWay>;
}

export interface AccessOptions {
  /** Where the cluster's key is, or will be. */
  readonly sshDir: string;
  /** Names the cluster in comments of keys. */
  readonly cluster: string;
  readonly env: Environment;
  readonly clock: Clock;
}

export type OpenAccess = (options: AccessOptions) => Promise<MachineAccess>;

/** What kind of failure it was, for those who know what to do next. */
export type AccessFailure = "Unreachable" | "HostKeyRefused" | "LoginRefused" | "Other";

/** Something failed for good: what, why, and what to do next are in the message. */
export class AccessError extends Error {
  override readonly name = "AccessError";
  readonly failure: AccessFailure;
  constructor(message: string, options: ErrorOptions & { readonly failure?: AccessFailure } = {}) {
    super(message, options);
    this.failure = options.failure ?? "Other";
  }
}
