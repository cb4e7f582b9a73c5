import { z } from "zod";

/** An absolute path that stays where it points to. */
export const absolutePath = z
  .string()
  .max(4096)
  .startsWith("/", "must be an absolute path")
  .refine((path) => !path.split("/").includes(".."), "must not contain '..'")
  .refine((path) => !path.includes("\0"), "must not contain a NUL byte");
