// The attempts of one delivery on an axis of time, beside what the claimed policy expects.
import type { Capture, Policy } from './api';
import { answer, duration, type Tone } from './format';
import { delivered, type Mark, marksOf } from './marks';

/** How far a wait may be from the policy's, as the conformance profiles have it. */
const tolerance = 0.3;

/** A wait from its shortest to its longest, in milliseconds. */
export interface Window {
  least: number;
  most: number;
}

/** Whether a gap keeps its window. */
export type Kept = 'kept' | 'early' | 'late' | 'unasked' | 'unknown';

export interface Lane {
  capture: Capture;
  marks: Mark[];
  tone: Tone;
  said: string;
  /** Milliseconds from the first arrival. */
  at: number;
  /** Until the first byte of the answer, and until its end. */
  wait: number;
  length: number;
  gap: number | null;
  hungUp: number | null;
  /** When the policy expects this attempt, from the first arrival; null where it says nothing. */
  expected: Window | null;
  kept: Kept;
}

/** The attempt that the policy has follow the last one, until it has come. */
export interface Due extends Window {
  attempt: number;
}

export interface Waterfall {
  lanes: Lane[];
  due: Due | null;
  /** The whole axis in milliseconds. */
  span: number;
  ticks: number[];
}

/** Whether the policy has another attempt follow this one; undefined while that is not known. */
export function retried(policy: Policy, capture: Pick<Capture, 'outcome' | 'attempt'>): boolean | undefined {
  const o = capture.outcome;
  if (!o) return undefined;
  if (capture.attempt > policy.retries || delivered(capture)) return false;
  if (o.sender_hung_up_ms !== null || (o.first_byte_ms === null && o.fault === 'hang')) return policy.retry_timeout;
  if (o.status === 0 || o.fault !== '') return policy.retry_broken;
  return policy.retry_statuses.includes(o.status);
}

/**
 * The window of the wait before retry n, from 1. Where a policy publishes no lengths, only that waits grow, the first
 * gap that was seen stands for them, and the first itself has none.
 */
export function windowOf(policy: Policy, n: number, firstGap: number | null): Window | null {
  const wait = policy.waits[n - 1];
  if (!wait) return null;
  if (!policy.own_waits) return { least: wait.least_ms * (1 - tolerance), most: wait.most_ms * (1 + tolerance) };
  if (n === 1 || firstGap === null || firstGap <= 0) return null;
  const expected = firstGap * policy.factor ** (n - 1);
  return { least: expected * (1 - tolerance), most: expected * (1 + tolerance) };
}

/** How a gap stands to what the policy says of it. */
export function keeps(gap: number, window: Window | null, asked: boolean | undefined): Kept {
  if (asked === false) return 'unasked';
  if (!window) return 'unknown';
  return gap < window.least ? 'early' : gap > window.most ? 'late' : 'kept';
}

const time = (c: Pick<Capture, 'received_at'>) => new Date(c.received_at).getTime();

/** Lays out attempts in order of arrival; now stands for the end of what goes on. */
export function waterfall(attempts: readonly Capture[], policy: Policy | undefined, now: number): Waterfall {
  const start = attempts[0] ? time(attempts[0]) : 0;
  const firstGap = attempts[1]?.gap_ms ?? null;
  const lanes = attempts.map((capture, i): Lane => {
    const before = attempts[i - 1];
    const lane = laneOf(capture, attempts.slice(0, i), start, now);
    if (!policy || !before || capture.gap_ms === null) return lane;
    const window = windowOf(policy, i, firstGap);
    const from = lane.at - capture.gap_ms;
    lane.expected = window && { least: from + window.least, most: from + window.most };
    lane.kept = keeps(capture.gap_ms, window, retried(policy, before));
    return lane;
  });
  const due = policy ? dueOf(lanes, policy, firstGap, now - start) : null;
  const ends = lanes.flatMap((l) => [l.at + l.length, l.expected?.most ?? 0]);
  const span = Math.max(1, ...ends, due?.most ?? 0) * 1.03;
  return { lanes, due, span, ticks: ticksOf(span) };
}

function laneOf(capture: Capture, earlier: readonly Capture[], start: number, now: number): Lane {
  const o = capture.outcome;
  const said = answer(capture);
  const running = Math.max(0, now - time(capture));
  const end = o ? Math.max(o.first_byte_ms ?? 0, o.done_ms ?? 0, o.sender_hung_up_ms ?? 0) : running;
  return {
    capture, marks: marksOf(capture, earlier), tone: said.tone, said: said.text, at: time(capture) - start,
    wait: o ? (o.first_byte_ms ?? end) : running, length: end, gap: capture.gap_ms, hungUp: o?.sender_hung_up_ms ?? null,
    expected: null, kept: 'unknown',
  };
}

/** What the policy has come next. It is not due any more when its time has long passed. */
function dueOf(lanes: readonly Lane[], policy: Policy, firstGap: number | null, now: number): Due | null {
  const last = lanes[lanes.length - 1];
  if (!last || retried(policy, last.capture) !== true) return null;
  const window = windowOf(policy, lanes.length, firstGap);
  if (!window) return null;
  const from = last.at + last.length;
  const due = { attempt: last.capture.attempt + 1, least: from + window.least, most: from + window.most };
  return now > due.most * 10 ? null : due;
}

/** At most six round times. */
export function ticksOf(span: number): number[] {
  let step = 1;
  for (let i = 0; span / step >= 6; i++) step *= i % 3 === 1 ? 2.5 : 2;
  const out: number[] = [];
  for (let t = 0; t < span * 0.97; t += step) out.push(t);
  return out;
}

/** A time of the axis in few characters. */
export function tickText(ms: number): string {
  return ms === 0 ? '0' : duration(ms).replace(/\.?0+ s$/, ' s');
}

/** What a gap is to the policy, in words. */
export const keptWords: Record<Kept, { word: string; tone: Tone }> = {
  kept: { word: 'as claimed', tone: 'ok' },
  early: { word: 'too early', tone: 'bad' },
  late: { word: 'too late', tone: 'bad' },
  unasked: { word: 'not in the policy', tone: 'bad' },
  unknown: { word: 'not claimed', tone: 'idle' },
};

export interface Dot {
  seq: number;
  /** The retry that the gap came before, from 1. */
  n: number;
  gap: number;
  own: boolean;
}

/** The gaps before retries, of one delivery (own) and of the others that are known, at most 500 of them. */
export function gapsOf(rows: readonly Capture[], own: readonly Capture[]): Dot[] {
  const out: Dot[] = [];
  const mine = new Set(own.map((c) => c.seq));
  for (let i = rows.length - 1; i >= 0 && out.length < 500; i--) {
    const c = rows[i];
    if (c && !mine.has(c.seq)) add(out, c, false);
  }
  for (const c of own) add(out, c, true);
  return out;
}

function add(out: Dot[], c: Capture, own: boolean): void {
  if (c.attempt > 1 && c.gap_ms !== null && c.gap_ms >= 0) out.push({ seq: c.seq, n: c.attempt - 1, gap: c.gap_ms, own });
}
