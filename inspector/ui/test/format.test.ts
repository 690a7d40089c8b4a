import { describe, expect, test } from 'vitest';
import type { Capture } from '../src/lib/api';
import { answer, bytes, duration, gap, relative } from '../src/lib/format';
import { outcome } from './made';

test.each([
  [0.8, '0.8 ms'],
  [1, '1 ms'],
  [9.94, '9.9 ms'],
  [12.4, '12 ms'],
  [999.4, '999 ms'],
  [999.6, '1.00 s'],
  [5003.2, '5.00 s'],
  [59_994, '59.99 s'],
  [125_000, '2 m 05 s'],
  [7_260_000, '2 h 01 m'],
  [-40, '−40 ms'],
])('duration of %d ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [4100, '+4.1 s'],
  [80, '+80 ms'],
  [-300, '−300 ms'],
  [90_000, '+1 m 30 s'],
])('gap of %d ms is %s', (ms, text) => expect(gap(ms)).toBe(text));

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [12_400, '12.4 kB'],
  [99_960, '100 kB'],
  [3_140_000, '3.1 MB'],
])('%d bytes are %s', (n, text) => expect(bytes(n)).toBe(text));

test('relative times', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  expect(relative('2026-11-22T11:59:59Z', now)).toBe('just now');
  expect(relative('2026-11-22T11:57:00Z', now)).toBe('3 min ago');
  expect(relative('2026-11-22T12:58:00Z', now)).toBe('in 58 min');
  expect(relative('nonsense', now)).toBe('');
});

describe('answer', () => {
  const plan = { text: '', step: 0, status: 200, fault: '', after_ms: 0, for_ms: 0, rate: 0, headers: [], body: '', seed: '', close: false };
  const ended = outcome(2);
  const said = (c: Pick<Capture, 'outcome' | 'plan'>) => answer(c);

  test.each<[string, Pick<Capture, 'outcome' | 'plan'>, string, string]>([
    ['plain', { plan, outcome: ended }, 'answered 200 · 0.8 ms', 'ok'],
    ['5xx', { plan, outcome: { ...ended, status: 503 } }, 'answered 503 · 0.8 ms', 'bad'],
    ['hang-up', { plan, outcome: { ...ended, status: 0, sender_hung_up_ms: 5003 } }, 'sender hung up 5.00 s', 'warn'],
    ['hang-up while answering', { plan, outcome: { ...ended, sender_hung_up_ms: 80 } }, 'answered 200, hung up 80 ms', 'warn'],
    ['fault', { plan, outcome: { ...ended, status: 0, fault: 'reset@request' } }, 'reset@request · 0.8 ms', 'warn'],
    ['waiting', { plan: { ...plan, after_ms: 6000 }, outcome: null }, 'waiting, 200 after 6.00 s …', 'idle'],
    ['hanging', { plan: { ...plan, fault: 'hang' }, outcome: null }, 'hang …', 'idle'],
  ])('%s', (_name, capture, text, tone) => expect(said(capture)).toEqual({ text, tone }));
});
