/** Handshakes under way to one machine. sshd drops some of them beyond ten (MaxStartups), its own and other people's. */
const handshakesMax = 3;

/** Lets a few handshakes a machine through at once; the others wait for their turn. */
export interface HandshakeGate {
  /** Resolves when it is our turn; dispose it when the handshake is over. @throws the signal's reason */
  enter(machine: string, signal: AbortSignal): Promise<Disposable>;
}

export function createHandshakeGate(): HandshakeGate {
  const machines = new Map<string, { busy: number; readonly waiting: Set<() => void> }>();

  const leave = (machine: string): Disposable => {
    let left = false;
    return {
      [Symbol.dispose]() {
        const door = machines.get(machine);
        if (left || door === undefined) return;
        left = true;
        door.busy--;
        const [next] = door.waiting;
        if (next !== undefined) {
          door.waiting.delete(next);
          next();
        } else if (door.busy === 0) machines.delete(machine);
      },
    };
  };

  return {
    enter: (machine, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const door = machines.get(machine) ?? { busy: 0, waiting: new Set<() => void>() };
        machines.set(machine, door);
        const pass = () => {
          signal.removeEventListener("abort", giveUp);
          door.busy++;
          resolve(leave(machine));
        };
        const giveUp = () => {
          door.waiting.delete(pass);
          reject(signal.reason as Error);
        };
        if (door.busy < handshakesMax) return pass();
        signal.addEventListener("abort", giveUp, { once: true });
        door.waiting.add(pass);
      }),
  };
}

/** The one of this process: every transport to a machine counts, whoever made it. */
export const processHandshakeGate = createHandshakeGate();
