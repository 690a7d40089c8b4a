import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, test } from 'vitest';
import DeliveryTable from '../src/components/DeliveryTable.svelte';
import DeliveryWaterfall from '../src/components/DeliveryWaterfall.svelte';
import GapChart from '../src/components/GapChart.svelte';
import type { Capture, Policy } from '../src/lib/api';
import { Attempts } from '../src/lib/attempts';
import { gapsOf, retried, waterfall, windowOf } from '../src/lib/delivery';
import { layout, lineAt, placeOf } from '../src/lib/lines';
import { disorder, marksOf } from '../src/lib/marks';
import { Feed } from '../src/lib/feed.svelte';
import { capture, outcome, server } from './made';

afterEach(cleanup);

const start = Date.parse('2026-11-22T12:00:00.000Z');
const iso = (ms: number) => new Date(start + ms).toISOString();

/** An attempt of delivery d that came at a time and was answered in 10 ms. */
function attempt(n: number, at: number, status: number, over: Partial<Capture> = {}): Capture {
  return capture(n, {
    delivery: 'd', attempt: n, received_at: iso(at), body_sha256: 'same', outcome: { ...outcome(n + 100, status), first_byte_ms: 5, done_ms: 10 }, ...over,
  });
}

const python: Policy = {
  name: 'agent-server-python', source: 's', timeout_ms: 30_000, retries: 2, retry_statuses: [429, 500, 503], retry_timeout: true, retry_broken: false,
  waits: [{ least_ms: 1000, most_ms: 2000 }, { least_ms: 2000, most_ms: 3000 }], own_waits: false, factor: 2,
};
const rules: Policy = { ...python, name: 'langsmith-rules', retry_statuses: [500, 503], retry_timeout: false, own_waits: true };

describe('marks', () => {
  const first = attempt(1, 0, 503);
  test('a retry with the same bytes', () => expect(marksOf(attempt(2, 1000, 200, { gap_ms: 990 }), [first]).map((m) => m.kind)).toEqual(['identical']));
  test('a retry with other bytes', () => expect(marksOf(attempt(2, 1000, 200, { body_sha256: 'other' }), [first]).map((m) => m.kind)).toEqual(['changed']));
  test('a duplicate after a 2xx', () => {
    const marks = marksOf(attempt(2, 1000, 200), [attempt(1, 0, 200)]);
    expect(marks.map((m) => m.kind)).toEqual(['identical', 'repeated']);
    expect(marks[1]?.says).toContain('Attempt 1 had been answered 200');
  });
  test('a duplicate within the millisecond', () => {
    const answered = attempt(1, 0, 200, { received_at: '2026-11-22T12:00:00.000600Z', outcome: { ...outcome(9), done_ms: 6.3 } });
    const kinds = (at: string) => marksOf(attempt(2, 0, 200, { received_at: at }), [answered]).map((m) => m.kind);
    expect(kinds('2026-11-22T12:00:00.006950Z')).toEqual(['identical', 'repeated']);
    expect(kinds('2026-11-22T12:00:00.006700Z')).toEqual(['identical']);
  });
  test('no duplicate while the 2xx had not ended, was cut off, or the sender was gone', () => {
    const ended = (over: object) => attempt(1, 0, 200, { outcome: { ...outcome(9), done_ms: 10, ...over } });
    for (const over of [{ done_ms: 2000 }, { fault: 'truncate' }, { sender_hung_up_ms: 4 }]) {
      expect(marksOf(attempt(2, 1000, 200), [ended(over)]).map((m) => m.kind)).toEqual(['identical']);
    }
  });
  test('attempts that overlap', () => expect(marksOf(attempt(2, 5, 200, { gap_ms: -5 }), [first]).map((m) => m.kind)).toEqual(['identical', 'overlap']));
  test('a body that was cut off is neither the same nor another', () => expect(marksOf(attempt(2, 1, 200, { truncated: true }), [first])).toEqual([]));
  test.each([
    [['webhook-timestamp', '1700000010'], ['Webhook-Timestamp', '1700000000']],
    [['Stripe-Signature', 't=1700000010,v1=a'], ['Stripe-Signature', 't=1700000000,v1=b']],
    [['ce-time', '2026-11-22T12:00:10Z'], ['ce-time', '2026-11-22T12:00:00Z']],
  ])('out of order by %s', (early, late) => {
    const rows = [capture(1, { headers: [early as [string, string]] }), capture(2, { headers: [late as [string, string]] }), capture(3)];
    expect([...disorder(rows)].map(([seq, m]) => [seq, m.kind, m.says.includes('10.00 s before capture 1')])).toEqual([[2, 'disorder', true]]);
  });
  test('a retry that carries the time of its first attempt is in order', () => {
    const at = (seq: number, time: string, n = 1) => capture(seq, { attempt: n, payload: { ...capture(seq).payload, sent_at: time } });
    expect(disorder([at(1, iso(0)), at(2, iso(5)), at(3, iso(0), 2)]).size).toBe(0);
    expect([...disorder([at(1, iso(0)), at(2, iso(5)), at(3, iso(4))]).keys()]).toEqual([3]);
  });
});

const attemptsOf = (rows: Capture[]) => {
  const attempts = new Attempts();
  attempts.join(rows);
  return attempts;
};

describe('lines', () => {
  const rows = [1, 2, 3, 4, 5].map((seq) => capture(seq, [1, 3, 4].includes(seq) ? { delivery: 'd', attempt: [1, 3, 4].indexOf(seq) + 1 } : {}));
  const lines = (over: Partial<Parameters<typeof layout>[2]> = {}, shown = 5) =>
    layout(rows, shown, { attempts: attemptsOf(rows), unfolded: new Set(), cursor: null, ...over });
  const seqs = (l: ReturnType<typeof lines>) => l.places.map((_, i) => lineAt(rows, l, i)).map((x) => `${x?.capture.seq} ${x?.role}${x?.open ? ' open' : ''}`);

  test('a delivery stands at its newest attempt', () => expect(seqs(lines())).toEqual(['5 alone', '4 head', '2 alone']));
  test('unfolded, the earlier attempts follow', () =>
    expect(seqs(lines({ unfolded: new Set(['d']) }))).toEqual(['5 alone', '4 head open', '3 nested', '1 nested', '2 alone']));
  test('the cursor is always in sight', () => {
    expect(seqs(lines({ cursor: 3 }))).toEqual(['5 alone', '4 head open', '3 nested', '1 nested', '2 alone']);
    expect(seqs(lines({ cursor: 4 }))).toEqual(['5 alone', '4 head', '2 alone']);
  });
  test('what came after the list was held does not move it', () => expect(seqs(lines({}, 3))).toEqual(['3 head', '2 alone']));
  test('each attempt for itself', () => expect(seqs(lines({ attempts: null }))).toEqual(['5 alone', '4 alone', '3 alone', '2 alone', '1 alone']));
  test('places', () => {
    const l = lines({ unfolded: new Set(['d']) });
    expect([0, 1, 2, 3, 4].map((i) => placeOf(l, i))).toEqual([3, 4, 2, 1, 0]);
    expect(placeOf(lines(), 0)).toBe(-1);
  });
  test('100 000 captures are laid out', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => capture(i + 1, i % 2 ? {} : { delivery: `p-${i >> 2}`, attempt: 1 + ((i >> 1) & 1) }));
    const l = layout(many, many.length, { attempts: attemptsOf(many), unfolded: new Set(), cursor: 5 });
    expect(l.places.length).toBeGreaterThan(70_000);
  });
});

describe('policy', () => {
  test.each([
    ['a status that is retried', attempt(1, 0, 503), true],
    ['a status that is final', attempt(1, 0, 404), false],
    ['a 2xx', attempt(1, 0, 200), false],
    ['the last attempt', attempt(3, 0, 503), false],
    ['a sender that hung up', attempt(1, 0, 0, { outcome: { ...outcome(1, 0), first_byte_ms: null, sender_hung_up_ms: 5000 } }), true],
    ['a broken answer', attempt(1, 0, 0, { outcome: { ...outcome(1, 0), fault: 'garbage' } }), false],
    ['an answer under way', attempt(1, 0, 0, { outcome: null }), undefined],
  ])('after %s', (_name, c, want) => expect(retried(python, c)).toBe(want));

  test('windows: published lengths, or the first gap grown', () => {
    expect(windowOf(python, 1, null)).toEqual({ least: 700, most: 2600 });
    expect(windowOf(python, 3, null)).toBeNull();
    expect(windowOf(rules, 1, 1000)).toBeNull();
    expect(windowOf(rules, 2, 1000)).toEqual({ least: 1400, most: 2600 });
    expect(windowOf(rules, 2, null)).toBeNull();
  });

  const attempts = [attempt(1, 0, 503), attempt(2, 1510, 503, { gap_ms: 1500 }), attempt(3, 1720, 200, { gap_ms: 200 })];
  test('gaps against their windows', () => {
    const w = waterfall(attempts, python, start + 9000);
    expect(w.lanes.map((l) => [l.at, l.length, l.kept])).toEqual([[0, 10, 'unknown'], [1510, 10, 'kept'], [1720, 10, 'early']]);
    expect(w.lanes[1]?.expected).toEqual({ least: 710, most: 2610 });
    expect(w.due).toBeNull();
    expect(w.span).toBeGreaterThan(5420);
  });
  test('a retry after a final answer is in no policy', () => {
    const w = waterfall([attempt(1, 0, 404), attempt(2, 1000, 404, { gap_ms: 990 })], python, start + 2000);
    expect(w.lanes[1]?.kept).toBe('unasked');
  });
  test('the attempt that is due, until its time is long past', () => {
    expect(waterfall(attempts.slice(0, 1), python, start + 20).due).toEqual({ attempt: 2, least: 710, most: 2610 });
    expect(waterfall(attempts.slice(0, 1), python, start + 100_000).due).toBeNull();
    expect(waterfall(attempts.slice(0, 1), undefined, start + 20).due).toBeNull();
  });
  test('an attempt that goes on reaches to now', () => {
    const w = waterfall([attempt(1, 0, 0, { outcome: null })], python, start + 4000);
    expect([w.lanes[0]?.length, w.lanes[0]?.said]).toEqual([4000, 'answering …']);
  });

  test('the page says what the picture shows', () => {
    const w = waterfall(attempts, python, start + 9000);
    const { container } = render(DeliveryWaterfall, { w, policy: python, seq: 2, open: () => {} });
    for (const said of ['Attempt 2', '+1.5 s', 'as claimed', '+200 ms', 'too early', 'answered 503 · 10 ms']) expect(container.textContent).toContain(said);
    expect(screen.getByRole('link', { name: 'Attempt 2' }).getAttribute('aria-current')).toBe('true');
    cleanup();
    render(DeliveryTable, { lanes: w.lanes, seq: 2, endpoint: 'a' });
    expect(screen.getByRole('link', { name: 'Compare attempt 3 with attempt 2' }).getAttribute('href')).toBe('/e/a/3/diff/2');
    cleanup();
    render(GapChart, { gaps: gapsOf(attempts, attempts), policy: python, attempts });
    expect(screen.getByRole('img').getAttribute('aria-label')).toBe(
      'Gaps before retries. retry 1: 1.50 s, expected 700 ms to 2.60 s; retry 2: 200 ms, expected 1.40 s to 3.90 s',
    );
  });
});

test('marks of a long list are those in sight', () => {
  const feed = new Feed(server().api, 'a');
  const headers: [string, string][] = [['webhook-timestamp', '1700000010'], ['a', 'b'], ['c', 'd']];
  feed.rows = Array.from({ length: 100_000 }, (_, i) => capture(i + 1, { headers }));
  feed.rows[99_990] = capture(99_991, { headers: [['webhook-timestamp', '1700000000']] });
  feed.rows = feed.rows.slice();
  const marks = feed.marksOf(feed.rows.slice(-40));
  expect([...marks].map(([seq, list]) => [seq, list.map((m) => m.kind)])).toEqual([[99_991, ['disorder']]]);
});
