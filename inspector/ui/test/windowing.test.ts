import { expect, test } from 'vitest';
import { scrollTo, windowOf } from '../src/lib/windowing';

test('a hundred thousand rows render a few', () => {
  const view = windowOf(100_000, 54, 2_700_000, 800, 8);
  expect(view).toEqual({ first: 49_992, last: 50_023, top: 49_992 * 54, height: 5_400_000 });
});

test.each([
  ['none', 0, 0, { first: 0, last: 0, top: 0, height: 0 }],
  ['fewer than fit', 3, 0, { first: 0, last: 3, top: 0, height: 162 }],
  ['scrolled past the end', 3, 9999, { first: 0, last: 3, top: 0, height: 162 }],
] as const)('%s', (_name, total, at, want) => expect(windowOf(total, 54, at, 800)).toEqual(want));

test('the end of a long list', () => {
  expect(windowOf(1000, 50, 1e9, 500, 2)).toMatchObject({ first: 988, last: 1000 });
});

test('a row is scrolled into view by the least', () => {
  expect(scrollTo(5, 50, 0, 500)).toBe(0);
  expect(scrollTo(10, 50, 0, 500)).toBe(50);
  expect(scrollTo(2, 50, 300, 500)).toBe(100);
});
