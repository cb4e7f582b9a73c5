const signalNames: Readonly<Record<number, string>> = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM" };

/** Which signal an exit code stands for, as shells and engines have it: 128+n for signal n. undefined: none. */
export function signalOf(code: number): string | undefined {
  return code > 128 && code < 193 ? (signalNames[code - 128] ?? `signal ${code - 128}`) : undefined;
}
