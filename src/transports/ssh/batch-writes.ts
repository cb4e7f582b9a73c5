import { nextTick } from "node:process";
import type { Duplex } from "node:stream";

/**
 * Lets everything that is written while one piece of code runs to its end go out by one system call. ssh2 writes each packet by
 * itself, and on a connection at rest those calls are the larger part of what it costs. Nothing is later for it: what is held
 * back goes before the next event is looked at.
 */
export function batchWrites(socket: Duplex): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isHeld = false;
  const release = () => {
    isHeld = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]) => {
    if (!isHeld) {
      isHeld = true;
      socket.cork();
      nextTick(release);
    }
    return write(...args);
  };
}
