// Feedback statistics of LangSmith: every field may be missing, so all is read loosely.
import { BigLiteral, isRecord } from './json';

export interface FeedbackRow {
  key: string;
  n: string;
  avg: string;
  /** Labels with their counts: CONCEPTUAL 1, OTHER 2. */
  values: string;
}

export function feedbackRows(stats: unknown): FeedbackRow[] {
  if (!isRecord(stats)) return [];
  return Object.entries(stats).map(([key, entry]) => {
    const stat = isRecord(entry) ? entry : {};
    const values = isRecord(stat['values']) ? stat['values'] : {};
    return {
      key,
      n: text(stat['n']),
      avg: text(stat['avg']),
      values: Object.entries(values)
        .map(([label, n]) => `${label} ${text(n)}`)
        .join(', '),
    };
  });
}

/** Keys with their average: user_score 0.5 */
export function feedbackKeys(stats: unknown): string[] {
  return feedbackRows(stats).map((r) => (r.avg === '–' ? r.key : `${r.key} ${r.avg}`));
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (value instanceof BigLiteral) return value.source;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Math.round(value * 1e4) / 1e4);
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
