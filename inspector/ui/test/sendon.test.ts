import { describe, expect, it } from 'vitest';
import type { Replay } from '../src/lib/api';
import { fieldsOf, grouped, textOf } from '../src/lib/sendon.svelte';

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
