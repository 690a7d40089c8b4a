// Bounds as a form has them: empty is the default, which the API writes as 0; -1 is no bound in every unit.
import type { Class, Quota } from './api';

export type Amount = number | null;

export const hour = 3_600_000;
export const mebi = 1_048_576;

const day = 24 * hour;

/** What the server keeps where nothing else is set. */
export const defaultQuota: Record<Class, Quota> = {
  accepted: { count: 10_000, age_ms: 30 * day, bytes: 1024 * mebi },
  rejected: { count: 1000, age_ms: 7 * day, bytes: 32 * mebi },
  incomplete: { count: 1000, age_ms: 7 * day, bytes: 64 * mebi },
};

export function amount(n: number, unit = 1): Amount {
  if (n === 0) return null;
  return n > 0 ? Number((n / unit).toFixed(7)) : n;
}

export function ofAmount(n: Amount | undefined, unit = 1): number {
  if (n === null || n === undefined) return 0;
  return n > 0 ? Math.round(n * unit) : n;
}
