import { describe, expect, test } from 'vitest';
import type { Capture } from '../src/lib/api';
import { ago, answer, between, bytes, dateTime, duration, gap, moment, relative, title } from '../src/lib/format';
import { capture, outcome } from './made';

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
  const plan = { text: '', rule: '', step: 0, status: 200, fault: '', after_ms: 0, for_ms: 0, rate: 0, headers: [], body: '', seed: '', close: false };
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

test('a span of time has its date once, unless it goes past midnight', () => {
  const at = (h: number, day = 22) => new Date(2026, 10, day, h).toISOString();
  expect(between(at(7), at(8))).toBe('2026-11-22 07:00:00.000 – 08:00:00.000 (1 h 00 m)');
  expect(between(at(23), at(1, 23))).toBe(`${dateTime(at(23))} – ${dateTime(at(1, 23))} (2 h 00 m)`);
  expect(between('soon', at(1))).toBe(`soon – ${at(1)}`);
});

test('the title of a body that did not come whole says so', () => {
  const json = { kind: 'json', variant: '', title: 'json, 10.5 MB', snippet: '', problems: [] } as Capture['payload'];
  const of = (over: Partial<Capture>) => title(capture(1, { payload: json, ...over }));
  expect(of({ reason: 'body_too_large', body_size: 10_485_760, content_length: 11_000_000 })).toBe('Too large · JSON, the first 10.5 MB of 11.0 MB kept');
  expect(of({ reason: 'body_too_large', body_size: 10_485_760, content_length: null })).toBe('Too large · JSON, the first 10.5 MB kept');
  expect(of({ reason: 'body_too_large', body_size: 10_485_760, content_length: 10_485_770 })).toBe('Too large · JSON, the first 10.5 MB kept');
  expect(of({ reason: 'body_cut', body_size: 24, content_length: 4096 })).toBe('Cut off · JSON, the first 24 B of 4.1 kB kept');
  expect(of({ reason: 'body_slow', body_size: 0, content_length: 4096 })).toBe('Too slow · JSON, no body kept');
  expect(of({ reason: 'secret_wrong' })).toBe('json, 10.5 MB');
  expect(title(capture(1, { payload: { ...json, title: '' } }))).toBe('POST /hooks/a');
});

test('when something came says the day where it is another one', () => {
  const at = (year: number, month: number, day: number, hour = 12) => new Date(year, month - 1, day, hour, 3, 4, 5);
  const now = at(2026, 11, 22, 14).getTime();
  expect(moment(at(2026, 11, 22).toISOString(), now)).toBe('12:03:04.005');
  expect(moment(at(2026, 11, 19).toISOString(), now)).toBe('11-19 12:03');
  expect(moment(at(2025, 11, 22).toISOString(), now)).toBe('2025-11-22');
  expect(moment('nonsense', now)).toBe('nonsense');
});

test('what has come and is of a time to come says that the clocks differ', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  expect(ago('2026-11-22T11:57:00Z', now)).toBe('3 min ago');
  expect(ago('2026-11-22T12:00:01Z', now)).toBe('just now');
  expect(ago('2026-11-22T12:00:40Z', now)).toBe('40 s ahead');
  expect(ago('2026-11-19T12:00:00Z', now)).toBe('3 d ago');
});
