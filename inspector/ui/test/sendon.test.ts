import { describe, expect, it } from 'vitest';
import type { Replay } from '../src/lib/api';
import { fieldsOf, grouped, missed, textOf } from '../src/lib/sendon.svelte';

describe('what is edited', () => {
  it('reads one field a line', () => {
    expect(fieldsOf('A: b\n\nX-Two:1: 2 \nbare\n')).toEqual([['A', 'b'], ['X-Two', '1: 2'], ['bare', '']]);
  });

  it('is text only where it comes back as it was', () => {
    const bytes = (s: string) => new TextEncoder().encode(s);
    expect(textOf(bytes('{"a":"ü"}\n'))).toBe('{"a":"ü"}\n');
    expect(textOf(bytes('\uFEFFa'))).toBe('\uFEFFa');
    expect(textOf(bytes('a\r\nb'))).toBeNull();
    expect(textOf(new Uint8Array([0xff, 0]))).toBeNull();
  });
});

it('keeps the tries of a replay together, the newest first', () => {
  const one = (id: string, attempt: number) => ({ id, attempt }) as Replay;
  const got = grouped([one('a', 1), one('b', 1), one('a', 2)]);
  expect(got.map((g) => g.map((r) => r.id + r.attempt))).toEqual([['b1'], ['a1', 'a2']]);
});

it('says what a capture that was not delivered met last', () => {
  const tries = (...list: Partial<Replay>[]) => ({ capture: 7, replays: list as Replay[] });
  expect(missed(tries({ status: 0, failure: 'refused' }, { status: 503, failure: '' }))).toBe('capture 7: answered 503');
  expect(missed(tries({ status: 503 }, { status: 0, failure: 'no address is allowed' }))).toBe('capture 7: no address is allowed');
  expect(missed(tries())).toBe('');
});
