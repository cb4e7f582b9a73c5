/** Reasons of metav1.Status that vendetta uses, with the HTTP code each travels with. */
const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof codes;

/** One thing wrong with a request: which field, and why. */
export interface StatusCause {
  /** Path from the object's root: `spec.ports[0].port`. */
  readonly field: string;
  readonly message: string;
  /** FieldValueInvalid, FieldValueRequired, FieldValueForbidden, FieldValueDuplicate … as in Kubernetes' field errors. */
  readonly reason: string;
}

export interface StatusDetails {
  readonly kind?: string;
  readonly group?: string;
  readonly name?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/**
 * The one error of the API, the same in process and over HTTP.
 * Source: Kubernetes API conventions, "Response Status Kind".
 */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly reason: StatusReason;
  readonly details: StatusDetails;
  /** Of an Expired list: the token to go on with, at the price of consistency. */
  readonly continue: string | undefined;

  constructor(reason: StatusReason, message: string, details: StatusDetails = {}, options: ErrorOptions & { readonly continue?: string | undefined } = {}) {
    super(message, options);
    this.reason = reason;
    this.details = details;
    this.continue = options.continue;
  }

  get code(): number {
    return codes[this.reason];
  }

  /** The wire form, `metav1.Status`. */
  toStatus(): StatusBody {
    return { kind: "Status", apiVersion: "v1", metadata: this.continue === undefined ? {} : { continue: this.continue }, status: "Failure", message: this.message, reason: this.reason, details: this.details, code: this.code };
  }
}

/** metav1.Status of a failure. */
export interface StatusBody {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: { readonly continue?: string };
  readonly status: "Failure";
  readonly message: string;
  readonly reason: StatusReason;
  readonly details: StatusDetails;
  readonly code: number;
}

export function isStatusReason(reason: unknown): reason is StatusReason {
  return typeof reason === "string" && Object.hasOwn(codes, reason);
}

function is(error: unknown, ...reasons: StatusReason[]): error is StatusError {
  return error instanceof StatusError && reasons.includes(error.reason);
}
export const isNotFound = (error: unknown): error is StatusError => is(error, "NotFound");
export const isConflict = (error: unknown): error is StatusError => is(error, "Conflict");
export const isAlreadyExists = (error: unknown): error is StatusError => is(error, "AlreadyExists");
/** What was asked for, or undefined when there is no such object. @throws whatever else came of it */
export async function orNone<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
/** The version asked for is no longer kept: list again. */
export const isGone = (error: unknown): error is StatusError => is(error, "Gone", "Expired");
export const isInvalid = (error: unknown): error is StatusError => is(error, "Invalid");

/**
 * What an error is about. `qualified` is a plural or a kind with its group behind it, as `qualifiedResource` and
 * `qualifiedKind` write them: `workspaces.vendetta.dev`, `Workspace.vendetta.dev`; alone it is of core.
 */
function aboutOf(qualified: string, name: string): StatusDetails {
  const point = qualified.indexOf(".");
  const kind = point < 0 ? { kind: qualified } : { kind: qualified.slice(0, point), group: qualified.slice(point + 1) };
  return name === "" ? kind : { ...kind, name };
}

export function notFound(resource: string, name: string): StatusError {
  return new StatusError("NotFound", `${resource} "${name}" not found`, aboutOf(resource, name));
}

export function alreadyExists(resource: string, name: string): StatusError {
  return new StatusError("AlreadyExists", `${resource} "${name}" already exists`, aboutOf(resource, name));
}

export function conflict(resource: string, name: string, why: string): StatusError {
  return new StatusError("Conflict", `Operation cannot be fulfilled on ${resource} "${name}": ${why}`, aboutOf(resource, name));
}

/** A read that must be as new as `wanted`, of a store that is only at `current`. The words, cause and code are Kubernetes'. */
export function versionTooLarge(wanted: string, current: string): StatusError {
  const causes = [{ field: "", reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  return new StatusError("Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, { causes, retryAfterSeconds: 1 });
}

/** 422 with one cause a field; kubectl prints the causes, others the message. @param kind as `qualifiedKind` writes it */
export function invalid(kind: string, name: string, causes: readonly StatusCause[]): StatusError {
  const lines = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const all = lines.length === 1 ? lines[0]! : `[${lines.join(", ")}]`;
  return new StatusError("Invalid", `${kind} "${name}" is invalid: ${all}`, { ...aboutOf(kind, name), causes });
}
