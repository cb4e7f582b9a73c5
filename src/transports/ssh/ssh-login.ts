import ssh2, { type AnyAuthMethod, type AuthHandlerMiddleware } from "ssh2";
import { messageOf } from "../../base/errors.ts";

/** A private key, and what to call it in messages: its path, mostly. */
export interface SshIdentity {
  readonly name: string;
  /** In OpenSSH's or PEM format; or how to read it, asked at each login. */
  readonly privateKey: string | (() => Promise<string>);
  /** Asked only when the key is encrypted. Undefined: this key is passed over. */
  readonly passphrase?: ((name: string) => Promise<string | undefined>) | undefined;
}

/** What to show the machine, in this order. Never in a message or a log: only names are. */
export interface SshCredentials {
  /** Socket of an agent: SSH_AUTH_SOCK. */
  readonly agentSocket?: string | undefined;
  readonly identities?: readonly SshIdentity[] | undefined;
  readonly password?: (() => Promise<string | undefined>) | undefined;
}

interface Attempt {
  readonly name: string;
  /** Undefined: it cannot be tried, and why is in `tried`. */
  make(): Promise<AnyAuthMethod | undefined>;
}

/** One login: what is handed to ssh2, and what it came to. */
export interface SshLogin {
  readonly handler: AuthHandlerMiddleware;
  /** In words, for the error: "key ~/.ssh/id_ed25519 (refused), password (the server does not offer it)". */
  tried(): string;
  /** What the machine last said it would go on with. */
  readonly offered: readonly string[];
  /** The agent's own trouble, which ssh2 tells as an event. */
  note(message: string): void;
}

/** Shows the machine one credential after the other, and keeps count of what became of each (RFC 4252). */
export function createLogin(user: string, credentials: SshCredentials): SshLogin {
  const said: string[] = [];
  const attempts = attemptsOf(user, credentials, (name, why) => said.push(`${name} (${why})`));
  let current: string | undefined;
  let offered: readonly string[] = [];

  const advance = async (methodsLeft: readonly string[] | null): Promise<AnyAuthMethod | undefined> => {
    offered = methodsLeft ?? offered;
    if (current !== undefined && current !== "") said.push(`${current} (refused)`);
    current = undefined;
    for (let next = attempts.shift(); next !== undefined; next = attempts.shift()) {
      try {
        const method = await next.make();
        if (method === undefined) continue;
        const asked = method.type === "agent" ? "publickey" : method.type;
        if (methodsLeft !== null && asked !== "none" && !methodsLeft.includes(asked)) {
          said.push(`${next.name} (the machine does not offer it, only ${methodsLeft.join(", ")})`);
          continue;
        }
        current = next.name;
        return method;
      } catch (error) {
        said.push(`${next.name} (${messageOf(error)})`);
      }
    }
    return undefined;
  };

  return {
    handler: (methodsLeft, _partial, next) => {
      // ssh2 takes `false` for "no more"; its types do not know.
      void advance(methodsLeft).then((method) => next((method ?? false) as AnyAuthMethod));
    },
    tried() {
      // It hung up on this one.
      const all = current === undefined || current === "" ? said : [...said, `${current} (no answer)`];
      if (all.length > 0) return all.join(", ");
      return attempts.length > 0 ? "nothing yet" : "nothing: there is no agent, no key and no password";
    },
    get offered() {
      return offered;
    },
    note: (message) => {
      if (current !== undefined) said.push(`${current} (${message})`);
      current = undefined;
    },
  };
}

function attemptsOf(username: string, { agentSocket, identities = [], password }: SshCredentials, skipped: (name: string, why: string) => void): Attempt[] {
  // "none" asks what the machine offers (RFC 4252, 5.2), so that nothing is shown to it that it does not want.
  const attempts: Attempt[] = [{ name: "", make: () => Promise.resolve({ type: "none", username }) }];
  if (agentSocket !== undefined && agentSocket !== "") attempts.push({ name: `agent at ${agentSocket}`, make: () => Promise.resolve({ type: "agent", username, agent: agentSocket }) });
  for (const identity of identities) {
    const name = `key ${identity.name}`;
    attempts.push({
      name,
      async make() {
        const key = typeof identity.privateKey === "string" ? identity.privateKey : await identity.privateKey();
        const opened = await openIdentity(identity, key);
        if (typeof opened === "string") return void skipped(name, opened);
        return { type: "publickey", username, key, ...opened };
      },
    });
  }
  if (password !== undefined) {
    let known: Promise<string | undefined> | undefined;
    const ask = () => (known ??= password());
    attempts.push({
      name: "password",
      async make() {
        const text = await ask();
        return text === undefined ? undefined : { type: "password", username, password: text };
      },
    });
    // What PAM asks for is the password, unless it asks for more than one thing.
    attempts.push({
      name: "password (keyboard-interactive)",
      async make() {
        const text = await ask();
        return text === undefined ? undefined : { type: "keyboard-interactive", username, prompt: (_name, _instructions, _language, prompts, answer) => answer(prompts.map((each) => (each.echo === true ? "" : text))) };
      },
    });
  }
  return attempts;
}

/** The passphrase that opens it, if it needs one; or why it cannot be used. */
async function openIdentity({ name, passphrase }: SshIdentity, privateKey: string): Promise<{ passphrase?: string } | string> {
  const plain = ssh2.utils.parseKey(privateKey);
  if (!(plain instanceof Error)) return plain.isPrivateKey() ? {} : "it is a public key";
  if (!/encrypted/i.test(plain.message)) return plain.message;
  const text = await passphrase?.(name);
  if (text === undefined) return "it is encrypted, and no passphrase was given";
  return ssh2.utils.parseKey(privateKey, text) instanceof Error ? "the passphrase does not open it" : { passphrase: text };
}
