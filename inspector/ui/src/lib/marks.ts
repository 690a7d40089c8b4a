// What is remarkable about the attempts of deliveries, told from the captures alone.
import type { Capture } from './api';
import { duration } from './format';

export type MarkKind = 'identical' | 'changed' | 'repeated' | 'overlap' | 'disorder';

export interface Mark {
  kind: MarkKind;
  /** In two words. */
  word: string;
  /** In a sentence. */
  says: string;
  tone: 'ok' | 'warn' | 'bad';
}

type Marked = Pick<
  Capture, 'seq' | 'attempt' | 'received_at' | 'body_sha256' | 'truncated' | 'gap_ms' | 'outcome' | 'headers' | 'payload' | 'delivery'
>;

/** Whether the sender got a whole answer that says all is well. */
export function delivered(c: Pick<Capture, 'outcome'>): boolean {
  const o = c.outcome;
  return o !== null && o.status >= 200 && o.status < 300 && o.fault === '' && o.done_ms !== null && o.sender_hung_up_ms === null;
}

/** The marks of an attempt, given those of its delivery that came before it. */
export function marksOf(capture: Marked, earlier: readonly Marked[]): Mark[] {
  const marks: Mark[] = [];
  const before = earlier[earlier.length - 1];
  if (!before) return marks;
  if (!capture.truncated && !before.truncated) {
    if (capture.body_sha256 === before.body_sha256) {
      marks.push({ kind: 'identical', word: 'same bytes', says: `Its body is attempt ${before.attempt}'s, byte for byte.`, tone: 'ok' });
    } else {
      marks.push({ kind: 'changed', word: 'changed body', says: `Its body is not attempt ${before.attempt}'s.`, tone: 'warn' });
    }
  }
  const done = earlier.find((a) => delivered(a) && endOf(a) <= time(capture) + rounding);
  if (done) {
    marks.push({ kind: 'repeated', word: 'after a 2xx', says: `Attempt ${done.attempt} had been answered ${done.outcome?.status}: this one is a duplicate.`, tone: 'bad' });
  }
  if (capture.gap_ms !== null && capture.gap_ms < 0) {
    marks.push({ kind: 'overlap', word: 'overlaps', says: `It came ${duration(-capture.gap_ms)} before the attempt before it had ended.`, tone: 'warn' });
  }
  return marks;
}

/** Captures whose sender says that they were sent before one that had arrived already. Rows ascend by seq. */
export function disorder(rows: readonly Marked[]): Map<number, Mark> {
  const out = new Map<number, Mark>();
  const newest = new Map<string, { at: number; seq: number }>();
  for (const row of rows) {
    // A retry may carry the time of its first attempt.
    if (row.attempt > 1) continue;
    const said = sentAt(row);
    if (!said) continue;
    const last = newest.get(said.by);
    if (last && said.at < last.at) {
      const says = `By ${said.by} it was sent ${duration(last.at - said.at)} before capture ${last.seq}, which came first.`;
      out.set(row.seq, { kind: 'disorder', word: 'out of order', says, tone: 'warn' });
    } else newest.set(said.by, { at: said.at, seq: row.seq });
  }
  return out;
}

const seconds = ['webhook-timestamp', 'svix-timestamp', 'x-slack-request-timestamp'];

/** When a sender says that it sent something, and where it says so. */
function sentAt(row: Marked): { at: number; by: string } | undefined {
  for (const [name, value] of row.headers) {
    const header = name.toLowerCase();
    const unix = seconds.includes(header) ? value : header === 'stripe-signature' ? (/(?:^|,)t=(\d+)/.exec(value)?.[1] ?? '') : '';
    if (/^\d{9,11}$/.test(unix)) return { at: Number(unix) * 1000, by: header };
    const at = header === 'ce-time' ? Date.parse(value) : NaN;
    if (!Number.isNaN(at)) return { at, by: header };
  }
  const at = Date.parse(row.payload.sent_at ?? '');
  return Number.isNaN(at) ? undefined : { at, by: 'webhook_sent_at' };
}

/** Milliseconds, with the microseconds that Date leaves out: a retry may come within the millisecond. */
function time(c: Pick<Capture, 'received_at'>): number {
  const rest = /\.\d{3}(\d+)/.exec(c.received_at)?.[1];
  return Date.parse(c.received_at) + (rest ? Number(`0.${rest}`) : 0);
}

/** What rounding may make of two moments. */
const rounding = 0.05;

/** When the answer to a capture had ended; never while it goes on. */
function endOf(c: Pick<Capture, 'received_at' | 'outcome'>): number {
  return c.outcome?.done_ms == null ? Infinity : time(c) + c.outcome.done_ms;
}
