import { describe, expect, test } from 'vitest';
import { feedbackRows } from '../src/lib/feedback';
import { formPairs, multipartParts } from '../src/lib/forms';
import { hexLines } from '../src/lib/hex';
import { childPath, parseJson, sameNames, stringify } from '../src/lib/json';
import { messagesOf } from '../src/lib/messages';
import { cut, segments, visible } from '../src/lib/visible';

describe('visible', () => {
  test.each([
    ['user\u202egnp.exe', 'user\\u202egnp.exe'],
    ['\u001b[31mred', '\\u001b[31mred'],
    ['a\r\nb\tc\u0000', 'a\\r\\nb\\tc\\u0000'],
    ['zero\u200bwidth\ufeff', 'zero\\u200bwidth\\ufeff'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['lone \ud800 surrogate', 'lone \\ud800 surrogate'],
    ['family 👨‍👩‍👧 naïve', 'family 👨‍👩‍👧 naïve'],
  ])('%j', (given, want) => expect(visible(given)).toBe(want));

  test('names what stood there', () => {
    expect(segments('a\u202eb')).toEqual([{ text: 'a' }, { text: '\\u202e', name: 'U+202E RIGHT-TO-LEFT OVERRIDE' }, { text: 'b' }]);
  });

  test('keeps lines, but shows a carriage return that ends none', () => {
    expect(segments('a\r\nb\rc\td', true).map((s) => s.text).join('|')).toBe('a|\nb|\\r|c\td');
  });
});

test('hex lines', () => {
  const data = new TextEncoder().encode('{"hello":"wörld"}');
  expect(hexLines(data)).toEqual([
    { offset: '00000000', hex: '7b 22 68 65 6c 6c 6f 22  3a 22 77 c3 b6 72 6c 64', text: '{"hello":"w··rld' },
    { offset: '00000010', hex: '22 7d', text: '"}' },
  ]);
  expect(hexLines(data, 16)).toHaveLength(1);
});

describe('json', () => {
  // Node 20 gives a reviver no source text, browsers do.
  const hasSource = parseJson('12345678901234567890')?.value !== 12345678901234567890;

  test.runIf(hasSource)('keeps the digits of numbers', () => {
    const text = '{"id":12345678901234567890,"avg":0.0,"n":3}';
    expect(stringify(parseJson(text)?.value, 0)).toBe(text);
  });

  test('a value that looks like a literal stays a string', () => {
    expect(stringify(['\u0001literal:0'], 0)).toBe('["\\u0001literal:0"]');
  });

  test('what is no JSON is undefined', () => expect(parseJson('{"a":')).toBeUndefined());

  test.each([
    ['{"a":1,"b":{"c":[{"d":"x"}]},"e":2}', true], ['[]', true], ['"a"', true], ['{"a\\"\\\\":1}', true], ['{ "\\u0061" : "b:c", "x":"\\":" }', true],
    ['{"a":1,"a":2}', false], ['{"b":1,"10":2,"2":3}', false], ['{"a":{"b":1,"b":1}}', false], ['{"__proto__":1,"constructor":2}', true],
  ])('whether the tree of %s has its names as they stand', (text, want) => expect(sameNames(text, parseJson(text)?.value)).toBe(want));

  test('paths', () => {
    expect(childPath(childPath(childPath('', 'runs'), 0), 'a b')).toBe('runs[0]["a b"]');
  });
});

const bytes = (text: string) => new TextEncoder().encode(text);

test('multipart and forms', () => {
  const body = bytes('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n--x\r\nContent-Type: text/plain\r\n\r\ntwo\r\nlines\r\n--x--\r\n');
  const parts = multipartParts(body, 'multipart/form-data; boundary="x"');
  expect(parts.map((p) => ({ ...p, data: new TextDecoder().decode(p.data) }))).toEqual([
    { headers: [['Content-Disposition', 'form-data; name="a"']], data: 'one', name: 'a', file: '', contentType: '' },
    { headers: [['Content-Type', 'text/plain']], data: 'two\r\nlines', name: '', file: '', contentType: 'text/plain' },
  ]);
  expect(multipartParts(body, 'multipart/form-data')).toEqual([]);
  expect(formPairs('a=1&b=x+y&a=%C3%BC')).toEqual([['a', '1'], ['b', 'x y'], ['a', 'ü']]);
});

test('parts keep their bytes and names', () => {
  const head = bytes('--b\r\nContent-Disposition: form-data; name="f"; filename="a \\"ü\\".png"\r\n\r\n');
  const data = Uint8Array.from({ length: 256 }, (_, i) => i);
  const parts = multipartParts(Uint8Array.from([...head, ...data, ...bytes('\r\n--b--')]), 'multipart/form-data; boundary=b');
  expect(parts).toEqual([{ headers: [['Content-Disposition', 'form-data; name="f"; filename="a \\"ü\\".png"']], data, name: 'f', file: 'a "ü".png', contentType: '' }]);
});

test('messages of both forms', () => {
  const values = {
    messages: [
      { role: 'user', content: 'hi' },
      { type: 'ai', content: [{ type: 'text', text: 'one' }], tool_calls: [{ name: 'f', args: { a: 1 } }] },
      { lc: 1, type: 'constructor', id: ['langchain_core', 'messages', 'HumanMessage'], kwargs: { content: 'bye' } },
    ],
  };
  expect(messagesOf(values).map((m) => [m.role, m.text, m.calls])).toEqual([
    ['user', 'hi', []],
    ['assistant', 'one', [{ name: 'f', args: { a: 1 } }]],
    ['user', 'bye', []],
  ]);
  expect(messagesOf({ messages: 'none' })).toEqual([]);
});

test('feedback with fields missing', () => {
  const rows = feedbackRows({ a: { n: 2, avg: 0.123456 }, b: { n: 0, avg: null, values: { X: 1, Y: 2 } }, c: null });
  expect(rows).toEqual([
    { key: 'a', n: '2', avg: '0.1235', values: '' },
    { key: 'b', n: '0', avg: '–', values: 'X 1, Y 2' },
    { key: 'c', n: '–', avg: '–', values: '' },
  ]);
});

test('a text is never cut within a character', () => {
  expect(cut('ab😀c', 3)).toBe('ab😀');
  expect(cut('ab😀c', 4)).toBe('ab😀');
  expect(cut('abc', 3)).toBe('abc');
  expect(cut('abcd', 3)).toBe('abc');
});
