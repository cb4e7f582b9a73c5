import { messageOf } from "../../base/errors.ts";
import { StatusError } from "../../api/status-error.ts";
import { decodeMessage } from "./decode-message.ts";
import { encodeMessage } from "./encode-message.ts";
import { messageTypeOf } from "./kubernetes-messages.ts";
import { messageType, one } from "./message-type.ts";

/**
 * The form in which clients that have Kubernetes' types speak of them: four bytes, then runtime.Unknown, which says what kind its
 * bytes are. Source: Kubernetes API concepts, "Protobuf encoding idl".
 */
export const protobufType = "application/vnd.kubernetes.protobuf";

const magic = Buffer.from("k8s\0", "latin1");
/** runtime.Unknown. `raw` is a message of whatever kind typeMeta says. */
const envelope = messageType(one(1, "typeMeta", messageType(one(1, "apiVersion"), one(2, "kind"))), one(2, "raw", "bytes"), one(3, "contentEncoding"), one(4, "contentType"));

interface Envelope {
  readonly typeMeta?: { readonly apiVersion?: string; readonly kind?: string };
  readonly raw?: Uint8Array;
  readonly contentEncoding?: string;
  readonly contentType?: string;
}

/**
 * The object in such a body, as JSON would have it.
 * @throws StatusError BadRequest when it cannot be read or is of a kind that does not travel so here
 */
export function decodeKubernetesProtobuf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.byteLength < magic.byteLength || magic.compare(bytes, 0, magic.byteLength) !== 0) throw refused("it does not begin as Kubernetes' protobuf does");
  try {
    const { typeMeta = {}, raw = new Uint8Array(), contentEncoding, contentType }: Envelope = decodeMessage(envelope, bytes.subarray(magic.byteLength));
    if (contentEncoding !== undefined || (contentType !== undefined && contentType !== protobufType)) throw refused("its content is encoded once more");
    const { apiVersion = "", kind = "" } = typeMeta;
    const type = messageTypeOf(apiVersion, kind);
    if (type === undefined) throw refused(`no kind ${JSON.stringify(kind.slice(0, 100))} is registered for version ${JSON.stringify(apiVersion.slice(0, 100))}`);
    return { apiVersion, kind, ...decodeMessage(type, raw) };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    // The library's, on bytes that are cut or no protobuf at all.
    throw refused(messageOf(error), error);
  }
}

/** The object in that form; undefined when its kind does not travel so. */
export function encodeKubernetesProtobuf(object: { readonly apiVersion: string; readonly kind: string }): Uint8Array<ArrayBuffer> | undefined {
  const { apiVersion, kind } = object;
  const type = messageTypeOf(apiVersion, kind);
  if (type === undefined) return undefined;
  return Buffer.concat([magic, encodeMessage(envelope, { typeMeta: { apiVersion, kind }, raw: encodeMessage(type, object) } satisfies Envelope)]);
}

function refused(why: string, cause?: unknown): StatusError {
  return new StatusError("BadRequest", `Cannot read the request's body as protobuf: ${why}`, {}, { cause });
}
