import { describe, expect, test } from 'vitest';
import type { Capture } from '../src/lib/api';
import { Attempts } from '../src/lib/attempts';
import { layout } from '../src/lib/lines';
import { merge } from '../src/lib/rows';
import { capture, outcome } from './made';

/** The same numbers each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

describe('merge', () => {
  const seqs = (rows: Capture[]) => rows.map((r) => r.seq);
  const of = (...list: number[]) => list.map((seq) => capture(seq));

  test.each([
    ['newer', of(1, 2), of(4, 3), [1, 2, 3, 4]],
    ['older', of(8, 9), of(4, 3), [3, 4, 8, 9]],
    ['among', of(1, 5, 9), of(7, 3), [1, 3, 5, 7, 9]],
    ['around', of(5), of(9, 1), [1, 5, 9]],
    ['known', of(1, 2, 3), of(3, 2), [1, 2, 3]],
    ['into none', of(), of(2, 1), [1, 2]],
    ['none', of(1), of(), [1]],
  ])('%s', (_name, rows, page, want) => expect(seqs(merge(rows, page))).toEqual(want));

  test('a known one is replaced but keeps its outcome', () => {
    const rows = [capture(1), capture(2, { outcome: outcome(9) }), capture(3)];
    const merged = merge(rows, [capture(2, { attempt: 7 }), capture(3, { outcome: outcome(10) })]);
    expect(merged.map((r) => [r.seq, r.attempt, r.outcome?.seq])).toEqual([[1, 1, undefined], [2, 7, 9], [3, 1, 10]]);
    expect(rows[1]?.attempt).toBe(1);
  });

  test('any pages', () => {
    const next = numbers(1);
    let rows: Capture[] = [];
    const want = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const page = [...new Set(Array.from({ length: next(9) }, () => 1 + next(400)))];
      page.forEach((seq) => want.add(seq));
      rows = merge(rows, of(...page));
      expect(seqs(rows)).toEqual([...want].sort((a, b) => a - b));
    }
  });
});

describe('attempts', () => {
  const attempt = (seq: number, delivery: string, n: number) => capture(seq, { delivery, attempt: n });

  test('in whatever order pages come', () => {
    const attempts = new Attempts();
    attempts.join([attempt(8, 'd', 3), attempt(9, 'e', 1)]);
    attempts.join([attempt(5, 'd', 2), attempt(8, 'd', 3)]);
    attempts.join([attempt(1, 'd', 1), capture(2, { delivery: '' })]);
    expect(attempts.counts).toEqual(new Map([['d', 3]]));
    expect(attempts.of('d').map((a) => a.seq)).toEqual([1, 5, 8]);
    expect(attempts.of('d', 7).map((a) => a.seq)).toEqual([1, 5]);
    expect(attempts.of('d', 4)).toEqual([]);
    expect([attempts.of('e'), attempts.of('')]).toEqual([[], []]);
  });

  test('captures come and go: as if they were looked through each time', () => {
    const next = numbers(2);
    const kept = new Attempts();
    let rows: Capture[] = [];
    for (let i = 0; i < 400; i++) {
      if (next(3) > 0) {
        const page = Array.from({ length: next(6) }, () => 1 + next(200)).map((seq) => attempt(seq, `d${seq % 17}`, 1 + ((seq * 7) % 4)));
        kept.join(page);
        rows = merge(rows, page);
      } else {
        const gone = rows.filter(() => next(5) === 0);
        kept.leave(gone);
        rows = rows.filter((r) => !gone.includes(r));
      }
      const anew = new Attempts();
      anew.join(rows);
      expect(kept.counts).toEqual(anew.counts);
      const options = { unfolded: new Set(['d3', 'd4']), cursor: rows[next(rows.length)]?.seq ?? null };
      const shown = next(rows.length + 1);
      expect(layout(rows, shown, { attempts: kept, ...options })).toEqual(layout(rows, shown, { attempts: anew, ...options }));
    }
  });
});
