import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, test, vi } from 'vitest';
import BodyContent from '../src/components/BodyContent.svelte';
import JsonTree from '../src/components/JsonTree.svelte';
import type { Run } from '../src/lib/api';
import { appBase, appLink, baseFault } from '../src/lib/applink';
import { countdown } from '../src/lib/format';
import { faultOf } from '../src/lib/jsonfault';
import { findIn } from '../src/lib/jsonfind.svelte';
import { pictureOf } from '../src/lib/picture';
import { tracesOf, wayOf } from '../src/lib/trace';
import { isXml, layXml } from '../src/lib/xml';

afterEach(cleanup);

const bytes = (...parts: (string | number[])[]) =>
  Uint8Array.from(parts.flatMap((p) => (typeof p === 'string' ? [...p].map((c) => c.charCodeAt(0)) : p)));

describe('faults of JSON', () => {
  test.each([
    ['', 1, 1, 'the text is empty'],
    ['  \n ', 2, 2, 'the text is empty'],
    ['{"a":1,}', 1, 8, 'a name is expected after ","'],
    ['{"a":1', 1, 7, 'the text ends where "," or "}" is expected'],
    ['[1 2]', 1, 4, '"," or "]" is expected'],
    ['[1,]', 1, 4, 'a value is expected'],
    ['{"a" 1}', 1, 6, '":" is expected after a name'],
    ["{'a':1}", 1, 2, 'names stand in double quotation marks'],
    ["['a']", 1, 2, 'texts stand in double quotation marks'],
    ['{\n  "a": 1,\n  "b": tru\n}', 3, 8, 'this begins no value'],
    ['[01]', 1, 3, 'this is no JSON number or word'],
    ['[1.]', 1, 3, 'this is no JSON number or word'],
    ['["a\nb"]', 1, 4, 'a line ends within quotation marks'],
    ['["\\x"]', 1, 3, 'this escape is unknown'],
    ['["\\u12g4"]', 1, 3, 'this escape is unknown'],
    ['"abc', 1, 5, 'the text ends within quotation marks'],
    ['{} {}', 1, 4, 'something follows the value'],
    ['{"a":{"b":[1,{"c":NaN}]}}', 1, 19, 'this begins no value'],
  ])('%j', (text, line, column, says) => expect(faultOf(text)).toMatchObject({ line, column, says }));

  test('what is JSON has none, however it is built and however deep', () => {
    for (const text of ['null', ' [ ] ', '{"a":[1,-0.5e+3,"x\\u00e9\\n",true,{}]}', '['.repeat(100_000) + ']'.repeat(100_000)]) expect(faultOf(text)).toBeUndefined();
  });

  test('it is of one mind with the browser about what is JSON', () => {
    let random = 11;
    const next = (n: number) => (random = (random * 16807) % 2147483647) % n;
    const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '"', '1', '-', '0', '.5', 'e1', 'true', 'nul', ' ', '\n', '\\', "'"];
    for (let i = 0; i < 4000; i++) {
      const text = Array.from({ length: next(8) }, () => pieces[next(pieces.length)]).join('');
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      if ((faultOf(text) === undefined) !== valid) expect.fail(`${JSON.stringify(text)} is ${valid ? '' : 'not '}JSON`);
    }
  });

  test('the page shows the place', () => {
    const { container } = render(BodyContent, { data: bytes('{\n "a": 1,\n "b" 2}'), contentType: 'application/json', whole: true, label: 'Body' });
    expect(container.textContent).toContain('Not valid JSON: line 3, column 6: ":" is expected after a name.');
    expect(container.querySelector('mark')?.textContent).toBe('2');
  });
});

describe('searching in JSON', () => {
  const value = { runs: [{ name: 'Search', error: null }, { name: 'other', tags: ['a search', 3] }], research: {} };
  test('names and values, in order', () =>
    expect(findIn(value, 'SEARCH').places).toEqual([['runs', 0, 'name'], ['runs', 1, 'tags', 0], ['research']]));
  test('numbers and null', () => expect([findIn(value, '3').places, findIn(value, 'null').places]).toEqual([[['runs', 1, 'tags', 1]], [['runs', 0, 'error']]]));
  test('no end without a bound', () => {
    const found = findIn(Array.from({ length: 5000 }, () => 'x'), 'x');
    expect([found.places.length, found.more]).toEqual([1000, true]);
  });
  test('what is found is unfolded, deep and far down', async () => {
    const far = { list: Array.from({ length: 130 }, (_, i) => (i === 120 ? { a: { b: { c: 'needle' } } } : i)) };
    render(JsonTree, { value: far, label: 'Body' });
    screen.getByRole('button', { name: 'Search in Body' }).click();
    const field = await vi.waitFor(() => screen.getByRole<HTMLInputElement>('searchbox', { name: 'Search in Body' }));
    field.value = 'needle';
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await vi.waitFor(() => expect(document.querySelector('.found')?.textContent).toContain('"needle"'));
    expect(screen.getByRole('group', { name: 'Body' }).textContent).toContain('1 of 1');
  });
});

describe('XML', () => {
  const laid = (text: string) => layXml(text).lines.map((l) => '  '.repeat(l.depth) + l.text);
  test('one tag a line, short texts within theirs', () =>
    expect(laid('<?xml version="1.0"?><a x="1>0"><b>text</b><c/><d></d><!-- note --><e><f>1</f>tail</e></a>')).toEqual([
      '<?xml version="1.0"?>', '<a x="1>0">', '  <b>text</b>', '  <c/>', '  <d></d>', '  <!-- note -->', '  <e>', '    <f>1</f>', '    tail', '  </e>', '</a>',
    ]));
  test('entities are not expanded', () => {
    const bomb = '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]><a>&y;</a>';
    expect(laid(bomb)).toEqual(['<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;">]>', '<a>&y;</a>']);
  });
  test.each([
    ['<a>\n  <b></a>', 2, 6, '</a> closes <b>'],
    ['<a><b/>', 1, 1, '<a> is not closed'],
    ['<a/><b/>', 1, 5, 'the document has a second root'],
    ['<a/>text', 1, 5, 'a text stands outside of the document'],
    ['<a>1 < 2</a>', 1, 6, 'this tag has no end, or is none'],
    ['  ', 1, 1, 'there is no element'],
  ])('%s', (text, line, column, says) => expect(layXml(text).fault).toEqual({ line, column, says }));
  test('a long document ends, and so do long odd ones', () => {
    expect(layXml('<a>' + '<b/>'.repeat(10_000) + '</a>')).toMatchObject({ more: true });
    for (const odd of ['<a '.repeat(20_000), '<!'.repeat(20_000), '<a b="'.repeat(20_000), '<!--'.repeat(20_000), '<![CDATA['.repeat(20_000)]) layXml(odd);
  });
  test('what is XML', () => expect([isXml('<a/>', 'application/soap+xml'), isXml(' <?xml ?>', ''), isXml('<a/>', 'text/html')]).toEqual([true, true, false]));
});

describe('pictures', () => {
  test.each([
    ['PNG', bytes('\x89PNG\r\n\x1a\n', [0, 0, 0, 13], 'IHDR', [0, 0, 1, 0, 0, 0, 0, 80])],
    ['GIF', bytes('GIF89a', [0, 1, 80, 0])],
    ['JPEG', bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 0, 80, 1, 0, 3])],
    ['WebP', bytes('RIFF', [0, 0, 0, 0], 'WEBPVP8X', [0, 0, 0, 0], [0, 0, 0, 0], [255, 0, 0], [79, 0, 0])],
    ['BMP', bytes('BM', Array(12).fill(0) as number[], [40, 0, 0, 0, 0, 1, 0, 0, 80, 0, 0, 0])],
  ])('%s', (format, data) => expect(pictureOf(data)).toEqual({ format, width: 256, height: 80 }));
  test('no picture, or only its beginning', () => {
    for (const data of [bytes(''), bytes('text'), bytes('GIF8'), bytes([0xff, 0xd8, 0xff])]) expect(pictureOf(data)).toBeUndefined();
  });
  test('it is shown as bytes', () => {
    const { container } = render(BodyContent, { data: bytes('GIF89a', [0, 1, 80, 0]), contentType: 'image/gif', whole: true, label: 'Body' });
    expect(container.textContent).toContain('256 × 80 pixels');
    expect(container.querySelector('img, picture, canvas')).toBeNull();
    expect(screen.getByRole('region', { name: 'Body in hexadecimal' }).textContent).toContain('47 49 46 38');
  });
});

describe('traces', () => {
  const id = (n: number) => `0190a000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const at = (second: number) => `20240405T0128${String(second).padStart(2, '0')}000000Z`;
  const run = (index: number, way: [second: number, id: number][], from = 0, to = 0) =>
    ({
      index, id: id(index), name: `run ${index}`, dotted_order: way.map(([s, n]) => at(s) + id(n)).join('.'), start_time: `2024-04-05T01:28:${10 + from}`,
      end_time: `2024-04-05T01:28:${10 + to}`, status: 'success', type: 'chain', latency_ms: 1,
    }) as Run;
  test('children in the order of their start, whatever the order in the payload', () => {
    const runs = [run(3, [[1, 1], [5, 3]], 4, 8), run(1, [[1, 1]], 0, 10), run(4, [[1, 1], [2, 2], [3, 4]], 2, 4), run(2, [[1, 1], [2, 2]], 1, 5)];
    const [trace, ...others] = tracesOf(runs);
    expect(others).toEqual([]);
    expect(trace?.nodes.map((n) => [n.run?.name, n.depth, n.bar])).toEqual([
      ['run 1', 0, { left: 0, width: 100 }], ['run 2', 1, { left: 10, width: 40 }], ['run 4', 2, { left: 20, width: 20 }], ['run 3', 1, { left: 40, width: 40 }],
    ]);
  });
  test('an ancestor that is not in the payload', () =>
    expect(tracesOf([run(2, [[1, 1], [2, 2]])])[0]?.nodes.map((n) => [n.id, n.run?.name ?? null])).toEqual([[id(1), null], [id(2), 'run 2']]));
  test('roots alone make no tree, and what is no dotted order is left out', () => {
    expect(tracesOf([run(1, [[1, 1]]), run(2, [[1, 2]])])).toEqual([]);
    expect(wayOf('x')).toBeUndefined();
    expect(wayOf('')).toBeUndefined();
  });
});

describe('links to the application', () => {
  const base = 'https://smith.langchain.com';
  test.each([
    ['/o/1/projects/p/2/r/3?trace_id=4', base + '/o/1/projects/p/2/r/3?trace_id=4'],
    [base + '/o/1', base + '/o/1'],
    ['//evil.example/x', ''],
    ['/\\evil.example', ''],
    ['https://evil.example/o/1', ''],
    ['https://smith.langchain.com@evil.example/', ''],
    ['javascript:alert(1)', ''],
    ['data:text/html,x', ''],
    ['o/1', ''],
    ['/a\nb', ''],
    ['', ''],
  ])('%s', (path, want) => expect(appLink(path, base)).toBe(want));
  test('a base with a path of its own', () => expect(appLink('/o/1', 'https://x.example/langsmith/')).toBe('https://x.example/langsmith/o/1'));
  test('no base that is not http', () => expect(appLink('/o/1', 'javascript:alert(1)')).toBe(''));
  test('which base', () => {
    expect(appBase('', '')).toBe(base);
    expect(appBase('', 'http://langsmith.internal:1980/api')).toBe('http://langsmith.internal:1980');
    expect(appBase('https://x.example/y', 'http://z')).toBe('https://x.example/y');
    expect([baseFault(''), baseFault('https://x'), baseFault('x') !== '']).toEqual(['', '', true]);
  });
});

test('a countdown goes by seconds in the end', () => {
  const in_ = (s: number) => countdown(new Date(1_000_000 + s * 1000).toISOString(), 1_000_000);
  expect([in_(7200), in_(600), in_(599), in_(61), in_(9), in_(-120)]).toEqual(['in 2 h', 'in 10 min', 'in 9:59', 'in 1:01', 'in 0:09', '2 min ago']);
});
