import { codeOf, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { StatusError } from "../api/status-error.ts";
import type { Commit, CommitLog, CommitSink } from "./commit.ts";
import { encodeFrame } from "./frame.ts";
import { encodeChanges } from "./change-record.ts";
import type { JournalFile } from "./journal-file.ts";

/** Most commits in one frame: bounds what is put together at a time. */
const batchCommitsMax = 1000;

interface Turn {
  readonly file: JournalFile;
  readonly turned: () => void;
  readonly refused: (error: StatusError) => void;
}

/**
 * Makes commits durable, many a disk write: while one write is under way the next commits gather.
 *
 * - One frame is one write, and is written only when the one before is durable. So a frame is there whole or is the last.
 * - A disk that is full: what was pending is refused, the partial frame is taken off again, and the next write is tried
 *   as if nothing had been. Any other failure stops the store: after a failed sync nobody knows what the disk holds
 *   (pages may be marked clean that never got there), so there is no retry.
 */
export class Journal implements CommitLog {
  readonly #sink: CommitSink;
  readonly #log: Logger;
  #file: JournalFile;
  #queue: Commit[] = [];
  #turn: Turn | undefined;
  /** The loop that empties the queue, while there is one. */
  #draining: Promise<void> | undefined;
  #refusal: StatusError | undefined;
  /** Called after each batch. */
  onBatch: () => void = () => {};

  constructor(file: JournalFile, sink: CommitSink, log: Logger) {
    this.#file = file;
    this.#sink = sink;
    this.#log = log;
  }

  get refusal(): StatusError | undefined {
    return this.#refusal;
  }

  get file(): JournalFile {
    return this.#file;
  }

  append(commit: Commit): void {
    this.#queue.push(commit);
    this.#wake();
  }

  /**
   * Later commits go to this file. `cut` runs when all earlier ones are durable and no later one is; resolves with what it
   * returns. @throws ServiceUnavailable, with the file closed, when the store has stopped
   */
  turnTo<T>(file: JournalFile, cut: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#turn = { file, turned: () => resolve(cut()), refused: reject };
      this.#wake();
    });
  }

  /** Refuses further writes; resolves when those accepted before are settled and the file is closed. */
  async close(): Promise<void> {
    this.#refusal ??= new StatusError("ServiceUnavailable", "Cannot write: the store is closed; start the server again");
    await this.#draining;
    await this.#file.close();
  }

  #wake(): void {
    this.#draining ??= this.#drain();
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#turn !== undefined) {
      // Those told of the last batch may be about to write again: let them join this one.
      await new Promise((resolve) => setImmediate(resolve));
      this.#takeTurn();
      const batch = this.#queue.splice(0, batchCommitsMax);
      if (batch.length === 0) continue;
      try {
        await this.#file.append([encodeFrame(encodeChanges(batch))]);
      } catch (error) {
        await this.#onFailure(error);
        continue;
      }
      this.#sink.durable(batch.at(-1)!.version);
      this.onBatch();
    }
    this.#draining = undefined;
  }

  #takeTurn(): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.#turn = undefined;
    const closed = this.#refusal === undefined ? this.#file : turn.file;
    // All that was promised of it is durable: a failing close takes nothing away.
    closed.close().catch((error: unknown) => this.#log.warn("cannot close a journal", { path: closed.path, error: messageOf(error) }));
    if (this.#refusal !== undefined) return turn.refused(this.#refusal);
    this.#file = turn.file;
    turn.turned();
  }

  async #onFailure(error: unknown): Promise<void> {
    const { path } = this.#file;
    if (await this.#cutBack(error)) {
      this.#lose(new StatusError("ServiceUnavailable", `Cannot write: the disk is full (${path}); free some space and try again`, { retryAfterSeconds: 5 }, { cause: error }));
      this.#log.error("the disk is full: writes fail until there is space", { path });
      return;
    }
    this.#refusal = new StatusError("ServiceUnavailable", `Cannot write: the store has stopped, because writing ${path} failed (${messageOf(error)}); check the disk, then restart the server (what was acknowledged is kept)`, {}, { cause: error });
    this.#lose(this.#refusal);
    this.#log.error("writing failed: the store accepts no more writes until the server is restarted", { path, error: messageOf(error) });
  }

  /** Whether the failure left no trace. */
  async #cutBack(error: unknown): Promise<boolean> {
    const code = codeOf(error);
    if (code !== "ENOSPC" && code !== "EDQUOT") return false;
    try {
      await this.#file.cutBack();
      return true;
    } catch (second) {
      this.#log.error("cannot take a partial record off the journal", { path: this.#file.path, error: messageOf(second) });
      return false;
    }
  }

  #lose(error: StatusError): void {
    // All that gathered meanwhile was decided on what is lost now.
    this.#queue = [];
    this.#sink.lost(error);
  }
}
