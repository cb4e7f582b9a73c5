import { posix } from "node:path";
import { timeoutSignal } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import type { Transport, TransportFiles } from "../transport.ts";
import { createExecFiles, fileMsMax, type RawFiles } from "./exec-files.ts";
import { fileFailure, guardFile, isSftpStatus } from "./file-error.ts";
import { createSftpFiles, NoAtomicRename } from "./sftp-files.ts";
import { createSftpSessions } from "./sftp-sessions.ts";
import type { SshLink } from "./ssh-link.ts";
import { nameOfMachine, type SshOptions } from "./ssh-options.ts";
import { untilAborted } from "../../base/until-aborted.ts";

/** Status code of SFTP. */
const noSuchFile = 2;

/** `Transport.files` over a link: by SFTP, or by commands where sshd has none, or less of it than is needed. */
export function createSshFiles(options: SshOptions, link: SshLink, exec: Transport["exec"], run: Transport["run"]): TransportFiles {
  const { clock, random } = options;
  const where = nameOfMachine(options);
  const sessions = createSftpSessions(clock);
  const commands = createExecFiles({ clock, random, exec });

  const by = async <T>(what: string, act: (files: RawFiles) => Promise<T>): Promise<T> => {
    using bound = timeoutSignal(clock, fileMsMax, what);
    return await guardFile(what, where, async () => {
      try {
        const done = await link.use((connection) => untilAborted(sessions.use(connection, (sftp) => act(createSftpFiles(sftp, random))), bound.signal), bound.signal);
        return done === undefined ? await act(commands) : done.value;
      } catch (error) {
        if (error instanceof NoAtomicRename) return await act(commands);
        throw error;
      }
    });
  };

  return {
    read: (path, bytesMax) => by(`read ${path}`, (files) => files.read(path, bytesMax)),
    write: (path, data, mode = 0o600) => by(`write ${path}`, (files) => files.write(path, typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength), mode)),
    list: (path) =>
      by(`list ${path}`, async (files) => {
        try {
          return (await files.list(path)).toSorted();
        } catch (error) {
          if (isSftpStatus(error, noSuchFile) || codeOf(error) === "ENOENT") return [];
          throw error;
        }
      }),
    mkdir: (path, mode = 0o700) => by(`make ${path}`, (files) => files.mkdir(posix.normalize(path).replace(/(?<=.)\/$/, ""), mode)),
    // By rm in any case: it holds on to the directories that it has entered, so that nobody can put a link in its way.
    remove: (path) =>
      guardFile(`remove ${path}`, where, async () => {
        const { code, stderr } = await run(["rm", "-rf", path], { timeoutMs: fileMsMax });
        if (code !== 0) throw fileFailure("EIO", stderr.trim());
      }),
  };
}
