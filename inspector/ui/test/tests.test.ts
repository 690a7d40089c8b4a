import { describe, expect, test } from 'vitest';
import { parseRoute, testsPath } from '../src/lib/router.svelte';
import { changes, elapsed, inputOf, standing, type StartOptions, type TestAttempt, type TestCase, type TestEndpoint } from '../src/lib/tests.svelte';
import { connected, did, waterfall } from '../src/lib/waterfall';

const made = (id: string, verdict: TestCase['verdict'], state: TestCase['state'] = 'ended'): TestCase => ({
  id, title: id, requirement: { quote: '', source: '', level: 'must' }, file: 'f', line: 1, state, verdict, checks: [], endpoints: [],
});

const attempt = (n: number, at: string, more: Partial<TestAttempt> = {}): TestAttempt => ({
  seq: n, n, at, class: 'accepted', method: 'POST', target: '/', headers: [], body_size: 0, body_sha256: '', plan: '200', ...more,
});

describe('comparison of two runs', () => {
  test('has what changed, came and went, in the order of the newer', () => {
    const older = [made('A', 'pass'), made('B', 'fail'), made('C', 'pass'), made('gone', 'pass')];
    const newer = [made('C', 'fail'), made('A', 'pass'), made('new', 'info'), made('B', '', 'waiting')];
    expect(changes(older, newer).map((c) => [c.id, c.from, c.to])).toEqual([
      ['C', 'pass', 'fail'],
      ['new', '', 'info'],
      ['B', 'fail', 'waiting'],
      ['gone', 'pass', ''],
    ]);
  });

  test('an ended case without a verdict is inconclusive', () => {
    expect(standing(made('A', ''))).toBe('inconclusive');
  });
});

describe('input of a run', () => {
  const none: StartOptions = { cases: '', jobs: null, scale: null, strict: false, set: {}, lines: '' };

  test('has what was given only', () => {
    expect(inputOf(none, 'manual', {})).toEqual({ sender: 'manual' });
    const all = { ...none, cases: ' 5XX-* ', jobs: 2, scale: 0.5, strict: true, set: { run: '{"a":1}', slow: '', other: 'of another profile' } };
    expect(inputOf(all, 'builtin:github', { run: '', slow: '5' })).toEqual({
      sender: 'builtin:github', cases: '5XX-*', jobs: 2, scale: 0.5, strict: true, set: { run: '{"a":1}' },
    });
  });

  test('scales only the sender that obeys', () => {
    expect(inputOf({ ...none, scale: 2 }, 'manual', {})).toEqual({ sender: 'manual' });
  });

  test('takes the variables of an own script from lines', () => {
    expect(inputOf({ ...none, lines: 'a=1\n\n b=x=y ', set: { c: '1' } }, 'manual', null).set).toEqual({ a: '1', b: 'x=y' });
    expect(() => inputOf({ ...none, lines: 'nonsense' }, 'manual', null)).toThrow('write name=value');
  });
});

describe('waterfall', () => {
  const endpoint: TestEndpoint = {
    name: 'main', respond: '503 hang',
    deliveries: [{ id: 'd', by: 'body', attempts: [
      attempt(1, '2026-11-22T00:00:00Z', { status: 503, done_ns: 1e9, first_byte_ns: 1e8 }),
      attempt(2, '2026-11-22T00:00:03Z', { gap_ns: 2e9, fault: 'hang', hung_up_ns: 5e9, done_ns: 6e9 }),
    ] }],
    connections: [{ at: '2026-11-22T00:00:02Z', peer: 'p', note: 'refused' }],
  };

  test('puts everything on one axis, in order of time', () => {
    const { bars, ticks } = waterfall(endpoint);
    expect(bars.map((b) => b.label)).toEqual([
      'attempt 1: 503, after 1.00 s',
      'connection without a request: refused',
      'attempt 2: hang, sender hung up after 5.00 s, 2.00 s after the one before',
    ]);
    // The whole is 9 s and 2 % more.
    const percent = (s: number) => Math.round((s / 9.18) * 1e4) / 100;
    expect(bars.map((b) => [b.left, b.width, b.tone])).toEqual([
      [0, percent(1), 'bad'],
      [percent(2), 0, 'idle'],
      [percent(3), percent(6), 'warn'],
    ]);
    expect(bars[2]?.gap).toBe(percent(2));
    expect(bars[2]?.hungUp).toBe(percent(8));
    expect(ticks.map((t) => t.label)).toEqual(['0', '2 s', '4 s', '6 s', '8 s']);
  });

  test('tells what a connection came to', () => {
    const at = '2026-11-22T00:00:00.250Z';
    expect(connected({ seq: 12, at, peer: '127.0.0.1:5', note: 'refused' })).toMatch(/^seq 12, \d\d:00:00\.250Z?: refused$/);
    expect(connected({ at, peer: '127.0.0.1:5', fault: 'tls-alert', note: 'accepted' })).toMatch(/^\d\d:00:00\.250Z?: tls-alert: accepted$/);
    expect(connected({ at, peer: '127.0.0.1:5' })).toMatch(/: closed$/);
  });

  test('says when nothing is known', () => {
    expect(did(attempt(1, '2026-11-22T00:00:00Z'))).toBe('no answer');
    expect(waterfall({ name: 'main', respond: '', deliveries: null })).toEqual({ bars: [], ticks: [] });
  });
});

describe('paths', () => {
  test('of runs lead back to themselves', () => {
    for (const [run, testCase, other] of [['', '', ''], ['id', '', ''], ['id', 'CONNECT-4-close@accept', ''], ['id', '', 'other']] as const) {
      expect(parseRoute(testsPath(run, testCase, other)).tests).toEqual({ run, case: testCase, other });
    }
    expect(parseRoute('/e/default').tests).toBeUndefined();
  });

  test('time goes on until a case has ended', () => {
    expect(elapsed('2026-11-22T00:00:00Z', null, Date.UTC(2026, 10, 22, 0, 0, 5))).toBe(5000);
    expect(elapsed('2026-11-22T00:00:00Z', '2026-11-22T00:00:01Z', 0)).toBe(1000);
    expect(elapsed(undefined, null, 5)).toBe(0);
  });
});
