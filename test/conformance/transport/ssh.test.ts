// Test run: about 40 s.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { sshTo } from "../../harness/ssh-to.ts";
import { sshdUnavailable, startSshd, type SshdOptions } from "../../harness/sshd.ts";
import { transportConformance } from "./suite.ts";

/** A home of the account's own, so that nothing of this machine's account plays a part. The suite asks os.homedir(). */
const home = mkdtempSync(join(tmpdir(), "vd-ssh-home-"));
process.env["HOME"] = home;
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

const ash = join(home, "ash");
const forwardsNothing = ["AllowTcpForwarding=no", "AllowStreamLocalForwarding=no"];
const machines: readonly (SshdOptions & { readonly name: string; readonly listenFailure?: string })[] = [
  { name: "ssh to dash", shell: "/bin/dash" },
  { name: "ssh to a talkative bash", shell: "/bin/bash" },
  { name: "ssh to fish, without SFTP and forwarding", shell: "/usr/bin/fish", sftp: false, options: forwardsNothing, listenFailure: "ENOTSUP" },
  { name: "ssh to busybox, two sessions at most", shell: ash, options: ["MaxSessions=2"] },
];

const why = sshdUnavailable();
if (why !== undefined) it("transport ssh", { skip: why }, () => {});
else {
  symlinkSync("/bin/busybox", ash);
  // Debian's bash reads this for sshd's commands, too. Nothing of it may reach a command's output.
  writeFileSync(join(home, ".bashrc"), "echo welcome; echo 'you have mail' >&2\n");
  mkdirSync(join(home, ".config"));
  for (const machine of machines)
    transportConformance(machine.name, async () => {
      const directory = mkdtempSync(join(tmpdir(), "vd-ssh-"));
      const sshd = await startSshd({ home, ...machine });
      const transport = sshTo(sshd);
      return {
        transport,
        directory,
        listenFailure: machine.listenFailure,
        open: () => Promise.resolve(sshTo(sshd)),
        async close() {
          await transport.close();
          await sshd.stop();
          rmSync(directory, { recursive: true, force: true });
        },
      };
    });
}
