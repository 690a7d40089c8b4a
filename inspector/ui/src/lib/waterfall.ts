// The attempts of one endpoint on an axis of time.
import { clock, duration } from './format';
import type { TestAttempt, TestConnection, TestEndpoint } from './tests.svelte';
import { ms } from './tests.svelte';

export interface Bar {
  key: string;
  label: string;
  tone: 'ok' | 'warn' | 'bad' | 'idle';
  /** All in percent of the axis. Gap 0 is none. */
  left: number;
  width: number;
  gapLeft: number;
  gap: number;
  hungUp: number | null;
  attempt: TestAttempt | null;
}

export interface Waterfall {
  bars: Bar[];
  ticks: { left: number; label: string }[];
}

interface Event {
  key: string;
  label: string;
  tone: Bar['tone'];
  at: number;
  length: number;
  gap: number;
  hungUp: number | null;
  attempt: TestAttempt | null;
}

export function waterfall(endpoint: TestEndpoint): Waterfall {
  const events = eventsOf(endpoint);
  if (events.length === 0) return { bars: [], ticks: [] };
  const start = Math.min(...events.map((e) => e.at));
  const whole = Math.max(1, ...events.map((e) => e.at + e.length - start)) * 1.02;
  const percent = (t: number) => Math.round((t / whole) * 1e4) / 100;
  const bars = events.map((e): Bar => {
    const left = percent(e.at - start);
    const gap = Math.min(percent(e.gap), left);
    const hungUp = e.hungUp === null ? null : percent(e.at - start + e.hungUp);
    return { key: e.key, label: e.label, tone: e.tone, left, width: percent(e.length), gapLeft: left - gap, gap, hungUp, attempt: e.attempt };
  });
  return { bars, ticks: ticks(whole).map((t) => ({ left: percent(t), label: t === 0 ? '0' : duration(t).replace(/\.?0+ s$/, ' s') })) };
}

function eventsOf(endpoint: TestEndpoint): Event[] {
  const deliveries = endpoint.deliveries ?? [];
  const events: Event[] = [];
  deliveries.forEach((d, i) => {
    for (const a of d.attempts ?? []) {
      const which = deliveries.length > 1 ? `delivery ${i + 1}, attempt ${a.n}` : `attempt ${a.n}`;
      events.push({
        key: `a${a.seq}`,
        label: `${which}: ${did(a)}${a.gap_ns === undefined ? '' : `, ${duration(ms(a.gap_ns))} after the one before`}`,
        tone: toneOf(a),
        at: new Date(a.at).getTime(),
        length: Math.max(ms(a.first_byte_ns), ms(a.done_ns), ms(a.hung_up_ns)),
        gap: Math.max(0, ms(a.gap_ns)),
        hungUp: a.hung_up_ns === undefined ? null : ms(a.hung_up_ns),
        attempt: a,
      });
    }
  });
  (endpoint.connections ?? []).forEach((c, i) => {
    const label = `connection without a request: ${c.note || c.fault || 'closed'}`;
    events.push({ key: `c${i}`, label, tone: 'idle', at: new Date(c.at).getTime(), length: 0, gap: 0, hungUp: null, attempt: null });
  });
  return events.sort((a, b) => a.at - b.at);
}

/** A connection without a request: its number once it has ended, when it came and what it came to. */
export function connected(c: TestConnection): string {
  const what = [c.fault, c.note].filter((text) => text).join(': ') || 'closed';
  return `${c.seq ? `seq ${c.seq}, ` : ''}${clock(c.at)}: ${what}`;
}

/** What was done to an attempt, and how it ended. */
export function did(a: TestAttempt): string {
  const parts: string[] = [];
  if (a.class !== 'accepted') parts.push(a.class);
  if (a.status) parts.push(String(a.status));
  if (a.fault) parts.push(a.fault);
  if (a.hung_up_ns !== undefined) parts.push(`sender hung up after ${duration(ms(a.hung_up_ns))}`);
  else if (a.done_ns !== undefined) parts.push(`after ${duration(ms(a.done_ns))}`);
  return parts.join(', ') || 'no answer';
}

function toneOf(a: TestAttempt): Bar['tone'] {
  if (a.fault || a.hung_up_ns !== undefined) return 'warn';
  const status = a.status ?? 0;
  if (status >= 200 && status <= 299) return 'ok';
  return status >= 400 ? 'bad' : 'idle';
}

/** At most six round times. */
function ticks(whole: number): number[] {
  let step = 1;
  for (let i = 0; whole / step >= 6; i++) step *= i % 3 === 1 ? 2.5 : 2;
  const out: number[] = [];
  for (let t = 0; t < whole * 0.97; t += step) out.push(t);
  return out;
}
