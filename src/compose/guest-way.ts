import { clusterKey, generateKey, type ClusterKey, publicLineOf } from "../access/cluster-key.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { GuestWay } from "../providers/qemu/guest-way.ts";
import { bootMsMax } from "../providers/qemu/guests.ts";
import { spreadStreams } from "../transports/ssh/spread-streams.ts";
import { createSshTransport } from "../transports/ssh/ssh-transport.ts";
import type { Transport } from "../transports/transport.ts";

export interface GuestWayParts {
  /** Where the cluster's keys are. Machines have one of their own: what opens a virtual machine opens no Node. */
  readonly sshDir: string;
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
}

export type ClosableGuestWay = GuestWay & { close(): Promise<void> };

const keyName = "guest_ed25519";
/** Somebody waits for a machine that boots. */
const reconnectMsMax = 1000;

/** Into virtual machines by SSH, over whatever stream leads to their sshd. */
export function createGuestWay({ sshDir, cluster, clock, random }: GuestWayParts): ClosableGuestWay {
  const open = new Set<Transport>();
  let made: Promise<ClusterKey> | undefined;
  const key = () => {
    made ??= clusterKey(sshDir, cluster, keyName);
    // Somebody may put right what was wrong with the file.
    made.catch(() => (made = undefined));
    return made;
  };
  return {
    async publicKey() {
      const { type, base64, comment } = (await key()).authorized;
      return `${type} ${base64} ${comment}`;
    },
    makeHostKey() {
      const privateKey = generateKey("");
      return { privateKey, publicKey: publicLineOf(privateKey, "").trim() };
    },
    open({ name, hostKeys, onHostKey, dial }) {
      const one = () =>
        createSshTransport({
          host: name, user: "root", hostKeys, onHostKey: ({ line }) => onHostKey(line),
          credentials: { identities: [{ name: keyName, privateKey: async () => (await key()).privateKey }] },
          through: { name: "its node", dial: (_target, signal) => dial(signal) },
          // What answers has to boot first.
          handshakeMsMax: bootMsMax, reconnectMsMax, clock, random,
        });
      const transport = spreadStreams({ main: one(), another: one, clock });
      const closing: Transport = {
        ...transport,
        close() {
          open.delete(closing);
          return transport.close();
        },
      };
      open.add(closing);
      return closing;
    },
    async close() {
      await Promise.all([...open].map((each) => each.close()));
    },
  };
}
