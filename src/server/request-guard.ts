import { StatusError } from "../api/status-error.ts";

/** Names under which the server may be asked for when the composition root says nothing else. */
export const defaultHosts: readonly string[] = ["localhost", "127.0.0.1", "[::1]", "vendetta"];

/**
 * Keeps web pages out. A browser tells where a request comes from (Origin, Sec-Fetch-Site) and, after DNS rebinding,
 * still names the page's host in Host; no client of ours sends the first two, and all send a host of the list.
 * @throws StatusError Forbidden
 */
export function guardRequest(request: Pick<Request, "headers" | "url">, hosts: readonly string[]): void {
  const origin = request.headers.get("origin");
  if (origin !== null) throw new StatusError("Forbidden", `Cannot answer a request of the web page ${JSON.stringify(origin.slice(0, 200))}: this API is not for browsers`);
  const site = request.headers.get("sec-fetch-site");
  if (site === "cross-site" || site === "same-site") throw new StatusError("Forbidden", "Cannot answer a request of another web site: this API is not for browsers");
  for (const name of ["impersonate-user", "impersonate-group", "impersonate-uid"]) {
    if (request.headers.get(name) !== null) throw new StatusError("Forbidden", "Cannot act as somebody else: there is one identity here, so leave --as and --as-group out");
  }
  // A request line may name a host of its own, over Host's.
  for (const each of [request.headers.get("host"), new URL(request.url).host]) {
    const host = (each ?? "").replace(/:\d+$/, "").toLowerCase();
    if (each !== null && !hosts.includes(host)) throw new StatusError("Forbidden", `Cannot answer a request for host ${JSON.stringify(host.slice(0, 200))}: this server answers for ${hosts.join(", ")}`);
  }
}
