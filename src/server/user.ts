/** Who makes a request, as `userInfo` of authentication.k8s.io names them. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Whoever holds the token, or reaches the unix socket: the one user this server is for. */
export const administrator: User = { name: "vendetta-admin", groups: ["system:masters", "system:authenticated"] };

/** Whoever says nothing of who they are. */
export const anonymous: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };
