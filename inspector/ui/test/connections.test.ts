import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test } from 'vitest';
import ConnectionRow from '../src/components/ConnectionRow.svelte';
import type { Api, Connection, ConnectionList, Fact } from '../src/lib/api';
import { end, facts, secured, story } from '../src/lib/connection';
import { Connections } from '../src/lib/connections.svelte';
import { deletes } from '../src/lib/rows';
import { capture, deletion } from './made';

afterEach(cleanup);

const connection = (seq: number, over: Partial<Connection> = {}): Connection => ({
  seq, endpoint: 'a', at: `2026-11-22T12:00:00.${String(seq % 1000).padStart(3, '0')}Z`, remote_addr: `192.0.2.7:${1000 + seq}`, reached: 'accepted', fault: '',
  step: '', handshake: null, requests: 0, ended_ms: 12, ended_by: 'receiver', ended_with: 'fin', ...over,
});
const fact = (c: Connection): Fact => ({ type: 'fact', seq: c.seq, endpoint: 'a', fact: 'connection', connection: c });
const shaken = { done_ms: 3, version: 'TLS 1.3', server_name: 'a.localhost', alpn: 'h2', error: '' };
const list = (over: Partial<ConnectionList>): ConnectionList => ({ connections: [], next: null, open: [], shut: '', counted: true, not_counted: '', ...over });

function served(pages: ConnectionList[]): { api: Api; asked: unknown[] } {
  const asked: unknown[] = [];
  const json = (_route: string, call: { query?: unknown }) => {
    asked.push(call.query);
    const page = pages.shift();
    return page ? Promise.resolve(page) : Promise.reject(new Error('no more pages'));
  };
  return { api: { json } as unknown as Api, asked };
}

test('a row says what became of a connection', () => {
  for (const [c, text, tone] of [
    [connection(1, { reached: 'refused', fault: 'refuse', ended_ms: null }), 'refused', 'warn'],
    [connection(1, { reached: 'dropped', fault: 'blackhole', ended_ms: null }), 'left unanswered', 'warn'],
    [connection(1, { fault: 'reset@accept' }), 'reset@accept', 'warn'],
    [connection(1, { handshake: { ...shaken, error: 'EOF' } }), 'TLS handshake broke off', 'bad'],
    [connection(1), 'no request', 'warn'],
    [connection(1, { ended_ms: null }), 'open, no request yet', 'idle'],
    [connection(1, { requests: 2 }), '2 requests', 'ok'],
    [connection(1, { requests: 1, fault: 'tls-badcert' }), '1 request in spite of a bad certificate', 'bad'],
  ] as const) {
    expect(story(c)).toEqual({ text, tone });
  }
  expect(end(connection(1, { ended_by: 'sender', ended_with: 'rst' }))).toBe('reset by the sender after 12 ms');
  expect(end(connection(1))).toBe('closed by the receiver after 12 ms');
  expect(end(connection(1, { reached: 'refused', ended_ms: null }))).toBe('');
  expect(secured(connection(1, { handshake: shaken }))).toBe('TLS 1.3, h2, a.localhost');
  expect(Object.fromEntries(facts(connection(9, { handshake: { ...shaken, error: 'bad', alpn: '', server_name: '' } })))).toMatchObject({
    TLS: 'broke off after 3 ms: bad', 'name (SNI)': 'none', seq: '9',
  });
});

test('a row shows what a sender named as text', () => {
  const hostile = '<img src=x onerror=alert(1)>\u202e';
  const { container } = render(ConnectionRow, { connection: connection(1, { handshake: { ...shaken, server_name: hostile } }) });
  expect(container.querySelector('img')).toBeNull();
  expect(screen.getByRole('listitem').textContent).toContain('<img src=x onerror=alert(1)>\\u202e');
});

test('facts come on top, older pages below, and each is there once', async () => {
  const newest = Array.from({ length: 100 }, (_, i) => connection(300 - i, { requests: 1 }));
  const { api, asked } = served([list({ connections: newest, next: 201, shut: 'refuse' }), list({ connections: [connection(200), connection(199)] })]);
  const c = new Connections(api, 'a');
  await c.load();
  expect([c.rows.length, c.next, c.shut, c.silent]).toEqual([100, 201, 'refuse', 0]);
  c.push(fact(connection(301)));
  c.push(fact(connection(300, { requests: 1 })));
  c.flush();
  // A page holds as much as before: what fell off its end can be asked for again.
  expect([c.rows.length, c.rows[0]?.seq, c.rows[99]?.seq, c.next, c.silent]).toEqual([100, 301, 202, 202, 1]);
  await c.older();
  expect(asked[1]).toEqual({ before: 202, limit: 100 });
  expect([c.rows.length, c.rows[101]?.seq, c.next, c.silent]).toEqual([102, 199, null, 3]);
  c.push(deletion(302, { connections: true, through: 300 }));
  c.flush();
  expect(c.rows.map((r) => r.seq)).toEqual([301]);
  c.stop();
});

test('an open connection is told once it has ended only there', async () => {
  const open = connection(0, { at: '2026-11-22T12:00:01Z', ended_ms: null });
  const { api } = served([list({ open: [open], counted: false, not_counted: 'no right' }), list({ open: [open] })]);
  const c = new Connections(api, 'a');
  await c.load();
  expect([c.open.length, c.notCounted]).toEqual([1, 'no right']);
  c.push(fact({ ...open, seq: 5, ended_ms: 7 }));
  c.flush();
  expect([c.open.length, c.rows.length]).toEqual([0, 1]);
  // An answer that was on its way shows it still.
  await c.look();
  expect([c.open.length, c.rows.length, c.notCounted]).toEqual([0, 1, '']);
  c.stop();
});

test('what the server refuses is said', async () => {
  const c = new Connections(served([]).api, 'a');
  await c.load();
  expect(c.error).toBe('no more pages');
  c.stop();
});

test('deleted connections take no capture along', () => {
  const gone = deletion(9, { connections: true, through: 8 });
  expect(gone.fact === 'deletion' && deletes(gone, capture(3))).toBe(false);
});
