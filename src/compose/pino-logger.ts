import { pino } from "pino";
import type { Logger } from "../base/log.ts";

/** One JSON object a line on stdout. Written at once: the last lines before a crash are the ones that matter. */
export function createPinoLogger(level: string): Logger {
  const known = ["debug", "info", "warn", "error"].includes(level) ? level : "info";
  return wrap(pino({ level: known, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 1, sync: true })));
}

function wrap(logger: pino.Logger): Logger {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    with: (fields) => wrap(logger.child(fields)),
  };
}
