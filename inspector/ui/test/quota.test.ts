import { expect, test } from 'vitest';
import { amount, hour, mebi, ofAmount } from '../src/lib/quota';

test('the default is an empty field, and no bound is -1 in every unit', () => {
  expect(amount(0, mebi)).toBeNull();
  expect(amount(-1, mebi)).toBe(-1);
  expect(ofAmount(null, mebi)).toBe(0);
  expect(ofAmount(undefined)).toBe(0);
  expect(ofAmount(-1, hour)).toBe(-1);
});

test.each([1, 999, 2_000_000, 1_000_000_000, 33_554_432])('%d bytes survive the form', (n) => {
  expect(ofAmount(amount(n, mebi), mebi)).toBe(n);
});

test.each([3_600_000, 604_800_000, 1, 90_061_001])('%d ms survive the form', (n) => {
  expect(ofAmount(amount(n, hour), hour)).toBe(n);
});
