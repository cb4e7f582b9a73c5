import type { InstanceExecOptions, InstanceSpec, Provider } from "../../../src/providers/provider.ts";

/** An engine to test, ready to be asked. */
export interface ProviderPlace {
  readonly provider: Provider;
  /** Another provider over the same engine, as after a restart of the server. What it holds open ends with `close`. */
  again(): Provider;
  /** The same provider over an engine that does not answer; undefined when it has no engine. */
  readonly unreachable: Provider | undefined;
  readonly image: string;
  /** The engine's own block of each spec. Default: {}. */
  readonly engine?: InstanceSpec["engine"];
  /** The engine's own block that has a line of sh be what the instance runs; absent: whatever runs inside is asked to end. */
  readonly mainCommand?: (script: string) => InstanceSpec["engine"];
  /** What others do to an instance, behind the provider's back; each where it can be done. */
  readonly behind?: {
    pause?(id: string): Promise<void>;
    /** Ends it at once, as a crash does. */
    end?(id: string): Promise<void>;
    /** Makes it unusable. */
    spoil?(id: string): Promise<void>;
  };
  close(): Promise<void>;
}

export interface ProviderConformanceOptions {
  /** Cases this provider is not asked, by name, each with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
  /** How many times as long as a container's start its instances may take. Default 1. */
  readonly patience?: number;
}

/** What a command that was run in an instance left. */
export interface Ran {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** What is hard to quote, in the environment of the shared instance. */
export const odd = "a b\n'\"$x\\ü☃";

/** What the cases are made with. */
export interface Kit {
  /** For `eventually` and the like, milliseconds as a container would need them. */
  patient(ms: number): number;
  place(): ProviderPlace;
  /** A case by its name, which says what must be so. Skipped when the provider's test file says why. */
  test(what: string, body: (provider: Provider) => Promise<void>): void;
  /** Aborts when an engine has had time enough for any one thing. */
  signal(): AbortSignal;
  /** A spec of an owner that no other case has. What is made of it is destroyed after the case. */
  specOf(more?: Partial<InstanceSpec>): InstanceSpec;
  /** Makes and starts one; its id. */
  running(provider: Provider, more?: Partial<InstanceSpec>): Promise<string>;
  /**
   * One that runs and that cases share: whoever asks for it leaves it as it was found. Where a start takes seconds, that is most of them.
   * Its directory is /, and its environment has FROM_SPEC (`odd`), WHO and ALSO (both "spec").
   */
  shared(provider: Provider): Promise<string>;
  run(provider: Provider, id: string, argv: readonly string[], stdin?: string | Buffer, options?: InstanceExecOptions): Promise<Ran>;
  /** Ids of a cluster's instances; of this suite's own by default. */
  list(provider: Provider, of?: string): Promise<readonly string[]>;
}

/** All instances of a suite are this cluster's. */
export const cluster = "conform";

/** For each spec that stays over stops: a volume, and a directory of it. */
export const kept = { mounts: [{ kind: "volume", name: "data", target: "/data", readOnly: false }] } as const;
