/** Where the server is to listen for network clients: at this port, at one of its own choice, or nowhere. */
export type PortWish = number | "auto" | "off";

/**
 * What `--port` and VENDETTA_PORT say. 0 is refused: to some it means any port, to others none.
 * @throws Error saying what is understood
 */
export function parsePortWish(text: string): PortWish {
  if (text === "auto" || text === "off") return text;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= 1 && port <= 65535) return port;
  throw new Error(`Cannot listen at port ${JSON.stringify(text)}: it is a number from 1 to 65535, 'auto' (any free one) or 'off' (no network clients)`);
}
