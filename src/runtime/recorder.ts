import type { StoredObject } from "../api/meta.ts";

/** Tells people what happened, as core/v1 Events. Never throws and never blocks a reconcile: bounded queue, oldest dropped and counted. */
export interface EventRecorder {
  /**
   * The same type, reason and message about the same object within ten minutes raises a count instead of making a new Event.
   * @param reason one CamelCase word
   * @param message a sentence with the particulars and, for Warning, the next step; cut at 1,024 characters
   */
  event(about: StoredObject, type: "Normal" | "Warning", reason: string, message: string): void;
}
