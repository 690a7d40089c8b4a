import { expect, test } from 'vitest';
import type { AnswerRule } from '../src/lib/api';
import { free, joined, moved, placeOf, plain, rowsOf, says, withPart } from '../src/lib/rules.svelte';

const rule = (name: string): AnswerRule => ({ name, off: false, match: [], respond: '200' });

test.each([
  ['rules.3.match.0.value: "(" is no regular expression', { rule: 3, matcher: 0, field: 'value', text: '"(" is no regular expression' }],
  ['invalid: rules.0.respond: respond: step 1: no such fault', { rule: 0, matcher: -1, field: 'respond', text: 'respond: step 1: no such fault' }],
  ['rules.1.match: there are 21 matchers', { rule: 1, matcher: -1, field: 'match', text: 'there are 21 matchers' }],
  ['rules: there are 201', null],
])('the place of %j', (message, want) => expect(placeOf(message)).toEqual(want));

test('rows keep their ids while they move, and lose them when they are sent', () => {
  const rows = rowsOf([rule('a'), rule('b'), rule('c')]);
  expect(moved(rows, 2, 0).map((r) => [r.name, r.id])).toEqual([['c', 2], ['a', 0], ['b', 1]]);
  expect(moved(rows, 0, 2).map((r) => r.name)).toEqual(['b', 'c', 'a']);
  expect(plain(rows)[0]).toEqual(rule('a'));
});

test('what is added gets a free name and a new id', () => {
  const rows = joined(rowsOf([rule('a')]), [rule('a'), rule('a'), rule('b')], true);
  expect(rows.map((r) => [r.name, r.id])).toEqual([['a 2', 1], ['a 3', 2], ['b', 3], ['a', 0]]);
  expect(free('b', rows)).toBe('b 2');
});

test('a matcher keeps what fits another part', () => {
  const m = { part: 'json', name: 'a.b', op: 'contains', value: 'x' };
  expect(withPart(m, 'header')).toEqual({ part: 'header', name: 'a.b', op: 'contains', value: 'x' });
  expect(withPart(m, 'attempt')).toEqual({ part: 'attempt', name: '', op: 'equals', value: 'x' });
  expect(withPart(m, 'when')).toEqual({ part: 'when', name: '', op: '', value: 'x' });
});

test('matchers in words', () => {
  expect(says({ part: 'json', name: 'runs.0.status', op: 'equals', value: 'error' })).toBe('JSON runs.0.status is error');
  expect(says({ part: 'header', name: 'X-A', op: 'absent', value: '' })).toBe('Header X-A is not there');
  expect(says({ part: 'when', name: '', op: '', value: 'attempt > 1' })).toBe('attempt > 1');
});
