import { StatusError } from "../api/status-error.ts";
import { protobufType } from "./protobuf/kubernetes-protobuf.ts";

/** How a client wants an answer written. */
export interface Representation {
  readonly type: "json" | "yaml" | "protobuf";
  /** Table, PartialObjectMetadata, PartialObjectMetadataList, APIGroupDiscoveryList; absent: as it is. */
  readonly as?: string;
  /** Version of `as`. */
  readonly version?: string;
}

/** One form the handler can write besides the plain one. */
export interface Offer {
  readonly as: string;
  readonly group: string;
  readonly versions: readonly string[];
}

export const tableOffer: Offer = { as: "Table", group: "meta.k8s.io", versions: ["v1", "v1beta1"] };
export const partialOffer: Offer = { as: "PartialObjectMetadata", group: "meta.k8s.io", versions: ["v1", "v1beta1"] };
export const partialListOffer: Offer = { as: "PartialObjectMetadataList", group: "meta.k8s.io", versions: ["v1", "v1beta1"] };
export const groupDiscoveryOffer: Offer = { as: "APIGroupDiscoveryList", group: "apidiscovery.k8s.io", versions: ["v2", "v2beta1"] };

/** Whether Kubernetes' protobuf can be written besides. Clients that ask for it take JSON as well, mostly. */
export type MayBeProtobuf = "protobuf" | "text";

/**
 * The first of the client's media ranges that can be served, in its order (clients of Kubernetes list by preference and
 * give no weights that differ).
 * @throws StatusError NotAcceptable
 */
export function negotiate(accept: string | null, offers: readonly Offer[], binary: MayBeProtobuf = "text"): Representation {
  if (accept === null || accept.trim() === "") return { type: "json" };
  for (const range of accept.split(",").slice(0, 100)) {
    const [name = "", ...rest] = range.split(";").map((part) => part.trim());
    const parameters = new Map(rest.map((part) => [part.slice(0, part.indexOf("=")).toLowerCase(), part.slice(part.indexOf("=") + 1)]));
    const mediaType = name.toLowerCase();
    const type = ["application/json", "application/*", "*/*"].includes(mediaType) ? "json" : mediaType === "application/yaml" ? "yaml" : undefined;
    const as = parameters.get("as");
    if (binary === "protobuf" && mediaType === protobufType && as === undefined) return { type: "protobuf" };
    if (type === undefined || parameters.get("q") === "0") continue;
    if (as === undefined) return { type };
    const version = parameters.get("v") ?? "";
    if (offers.some((offer) => offer.as === as && offer.group === parameters.get("g") && offer.versions.includes(version))) return { type, as, version };
  }
  throw new StatusError("NotAcceptable", "only the following media types are accepted: application/json, application/yaml");
}
