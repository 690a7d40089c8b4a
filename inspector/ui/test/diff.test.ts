import { describe, expect, test } from 'vitest';
import { bodyDiff, factsOf, headerLines } from '../src/lib/compare.svelte';
import { diffJson, diffLines } from '../src/lib/diff';
import { BigLiteral, parseJson } from '../src/lib/json';
import { capture, outcome } from './made';

const text = (before: string, after: string) => diffLines([...before], [...after]).map((l) => ({ same: ' ', removed: '-', added: '+' })[l.side] + l.text).join('');

describe('lines', () => {
  test.each([
    ['', '', ''],
    ['abc', 'abc', ' a b c'],
    ['abc', 'axc', ' a-b+x c'],
    ['abcd', 'bd', '-a b-c d'],
    ['bd', 'abcd', '+a b+c d'],
    ['abc', '', '-a-b-c'],
    ['xaby', 'xbay', ' x-a b+a y'],
  ])('%s to %s', (before, after, want) => expect(text(before, after)).toBe(want));

  test('every line of both sides is there, in order', () => {
    let random = 7;
    const next = () => (random = (random * 16807) % 2147483647) % 4;
    for (let round = 0; round < 200; round++) {
      const make = () => Array.from({ length: next() * 3 }, () => 'abcd'[next()] ?? '');
      const [before, after] = [make(), make()];
      const all = diffLines(before, after);
      expect(all.filter((l) => l.side !== 'added').map((l) => l.text)).toEqual(before);
      expect(all.filter((l) => l.side !== 'removed').map((l) => l.text)).toEqual(after);
    }
  });

  test('what is too long for a table is compared as a whole', () => {
    const lines = (n: number) => Array.from({ length: 3000 }, (_, i) => `${n} ${i}`);
    expect(diffLines(lines(1), lines(2))).toHaveLength(6000);
  });
});

describe('JSON', () => {
  const diff = (before: string, after: string) => diffJson(parseJson(before)?.value, parseJson(after)?.value);
  test('by path, whatever the order of names', () => {
    const d = diff('{"a":1,"b":{"c":[1,2,3],"d":null},"gone":true}', '{"b":{"d":0,"c":[1,3]},"a":1,"new one":"x"}');
    expect(d.changes).toEqual([
      { path: 'b.c[1]', kind: 'removed', before: 2 },
      { path: 'b.d', kind: 'changed', before: null, after: 0 },
      { path: 'gone', kind: 'removed', before: true },
      { path: '["new one"]', kind: 'added', after: 'x' },
    ]);
    expect(d.same).toBe(3);
  });
  test('an item that changed in a list', () =>
    expect(diff('[{"id":1,"n":1},{"id":2,"n":1}]', '[{"id":1,"n":1},{"id":2,"n":2}]').changes).toEqual([{ path: '[1].n', kind: 'changed', before: 1, after: 2 }]));
  test('digits that a number would lose', () => 
    expect(diffJson([new BigLiteral('12345678901234567890')], [new BigLiteral('12345678901234567891')]).changes).toHaveLength(1));
  test('no endless list', () => {
    const many = (n: number) => JSON.stringify(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, n])));
    const d = diff(many(1), many(2));
    expect([d.changes.length, d.more]).toEqual([500, true]);
  });
  test('deep nesting ends', () => {
    const deep = (x: string) => '['.repeat(400) + x + ']'.repeat(400);
    expect(diff(deep('1'), deep('2')).changes).toHaveLength(1);
  });
});

describe('captures', () => {
  const bytes = (s: string) => new TextEncoder().encode(s);
  test('bodies', () => {
    expect(bodyDiff(bytes('{}'), bytes('{}'))).toEqual({ kind: 'same' });
    expect(bodyDiff(bytes('{"a":1}'), bytes('{ "a": 1 }'))).toEqual({ kind: 'json', diff: { changes: [], same: 1, more: false } });
    expect(bodyDiff(bytes('a\r\nb'), bytes('a\nc'))).toMatchObject({ kind: 'text' });
    expect(bodyDiff(new Uint8Array([255, 0]), bytes('a'))).toEqual({ kind: 'binary' });
  });
  test('headers in their order, and facts', () => {
    const before = capture(1, { headers: [['Host', 'a'], ['X-Try', '1']], outcome: outcome(2, 503) });
    const after = capture(3, { headers: [['Host', 'a'], ['X-Try', '2']], outcome: outcome(4, 200) });
    expect(headerLines(before, after)).toEqual([
      { side: 'same', text: 'Host: a' }, { side: 'removed', text: 'X-Try: 1' }, { side: 'added', text: 'X-Try: 2' },
    ]);
    const facts = factsOf(before, after);
    expect(facts.find((f) => f.name === 'Answer')).toMatchObject({ before: 'answered 503 · 0.8 ms', after: 'answered 200 · 0.8 ms', same: false });
    expect(facts.find((f) => f.name === 'Request')?.same).toBe(true);
  });
});
