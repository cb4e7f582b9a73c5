import { z } from "zod";

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9, u: 1e-6, m: 1e-3, "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
};

const pattern = /^(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d{1,2})|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?$/;

/** The number a Kubernetes quantity stands for ("512Mi" → 536870912, "250m" → 0.25); undefined when it is none. Source: k8s.io/apimachinery resource.Quantity. */
export function parseQuantity(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]) * (match[2] ? Number(`1${match[2]}`) : suffixes[match[3] ?? ""]!);
  return Number.isFinite(value) ? value : undefined;
}

/** Bytes as the largest binary suffix that keeps three digits: 536870912 → "512Mi". */
export function formatBytes(bytes: number): string {
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Number(value.toFixed(1))}${units[unit]}`;
}

/** A quantity greater than zero, written as in Kubernetes; a bare number is taken as that many units. */
export const quantity = z
  .union([z.string(), z.number()])
  .transform((value) => String(value))
  .refine((value) => (parseQuantity(value) ?? 0) > 0, "must be a quantity greater than zero, such as 512Mi, 2Gi, 0.5 or 250m");
