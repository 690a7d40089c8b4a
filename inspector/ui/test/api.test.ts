import { expect, test, vi } from 'vitest';
import { ApiError, createApi, path } from '../src/lib/api';
import { Bytes, readSome } from '../src/lib/bytes.svelte';
import { parseRoute, pathOf } from '../src/lib/router.svelte';

function client(response: Response | Error) {
  const refused = vi.fn();
  const send = vi.fn(() => (response instanceof Error ? Promise.reject(response) : Promise.resolve(response)));
  return { api: createApi({ token: () => 'T', refused }, send as unknown as typeof fetch), refused, send };
}

test('the token goes in a header, empty parameters are left out', async () => {
  const { api, send } = client(Response.json({ captures: [] }));
  await api.json(path('endpoints', 'a/b', 'captures'), { query: { before: undefined, q: '', class: 'accepted', reveal: false, limit: 5 } });
  expect(send).toHaveBeenCalledExactlyOnceWith(
    '/api/v1/endpoints/a%2Fb/captures?class=accepted&limit=5',
    expect.objectContaining({ method: 'GET', headers: { Authorization: 'Bearer T' }, credentials: 'omit' }),
  );
});

test('a problem says what was wrong', async () => {
  const body = { title: 'Invalid value', detail: 'respond: step 1: no such fault', code: 'invalid' };
  const { api } = client(Response.json(body, { status: 400, headers: { 'Content-Type': 'application/problem+json' } }));
  await expect(api.json('/x')).rejects.toEqual(new ApiError(400, 'respond: step 1: no such fault', 'invalid'));
});

test('an answer that is no problem document is told by its status', async () => {
  const { api } = client(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
  await expect(api.json('/x')).rejects.toThrow('The server answered 502 Bad Gateway.');
});

test('401 asks for a token', async () => {
  const { api, refused } = client(new Response('{}', { status: 401 }));
  await expect(api.json('/x')).rejects.toMatchObject({ status: 401 });
  expect(refused).toHaveBeenCalledTimes(1);
});

test('no server', async () => {
  const { api } = client(new TypeError('fetch failed'));
  await expect(api.json('/x')).rejects.toMatchObject({ status: 0, message: 'The server cannot be reached.' });
});

test('bytes are read as far as asked', async () => {
  const all = new Uint8Array(100).map((_, i) => i);
  expect(await readSome(new Response(all), 10)).toEqual({ data: all.subarray(0, 10), whole: false });
  expect(await readSome(new Response(all), 100)).toEqual({ data: all, whole: true });
  expect(await readSome(new Response(null), 10)).toEqual({ data: new Uint8Array(), whole: true });
});

test.each([
  ['/', { endpoint: '', seq: null, settings: false }],
  ['/e/a', { endpoint: 'a', seq: null, settings: false }],
  ['/e/a/', { endpoint: 'a', seq: null, settings: false }],
  ['/e/a/12', { endpoint: 'a', seq: 12, settings: false }],
  ['/e/a/settings', { endpoint: 'a', seq: null, settings: true }],
  ['/e/a/0x1', { endpoint: 'a', seq: null, settings: false }],
  ['/e/%zz', { endpoint: '%zz', seq: null, settings: false }],
  ['/e/a/connections', { endpoint: 'a', seq: null, settings: false, connections: true }],
  ['/other', { endpoint: '', seq: null, settings: false }],
])('route %s', (pathname, want) => expect(parseRoute(pathname)).toEqual({ connections: false, diff: null, latest: false, ...want }));

test('paths', () => {
  expect(pathOf('a', 3)).toBe('/e/a/3');
  expect(pathOf('a', 'settings')).toBe('/e/a/settings');
  expect(pathOf('')).toBe('/');
});

test('a compressed body is asked for decoded', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (url: string) => (asked.push(url), Promise.resolve(new Response('{"a":1}'))));
  const bytes = new Bytes('/x', true);
  await bytes.load(1000);
  vi.unstubAllGlobals();
  expect(asked).toEqual(['/api/v1/x?decoded=true']);
  expect(new TextDecoder().decode(bytes.data ?? undefined)).toBe('{"a":1}');
});
