import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Fact } from '../src/lib/api';
import { Live } from '../src/lib/live.svelte';
import { arrival } from './made';

class FakeSocket {
  sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { code: number }) => void) | null = null;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
  }

  say(value: unknown): void {
    this.onmessage?.({ data: JSON.stringify(value) });
  }

  ready(last: number): void {
    this.onopen?.();
    this.say({ type: 'ready', last });
  }

  die(code = 1006): void {
    this.onclose?.({ code });
  }
}

const sockets: FakeSocket[] = [];
const started: Live[] = [];
const socket = (i: number): FakeSocket => {
  const found = sockets[i];
  if (!found) throw new Error(`there is no socket ${i}, only ${sockets.length}`);
  return found;
};
const after = (i: number) => new URL(socket(i).url).searchParams.get('after');

function connect() {
  const facts: Fact[] = [];
  const calls = { start: vi.fn(), resync: vi.fn(), refused: vi.fn() };
  const live = new Live({
    endpoint: 'a',
    token: () => 'T',
    onFact: (f) => facts.push(f),
    onStart: calls.start,
    onResync: calls.resync,
    onRefused: calls.refused,
    open: (url) => {
      const made = new FakeSocket(url);
      sockets.push(made);
      return made as unknown as WebSocket;
    },
    random: () => 1,
  });
  live.start();
  started.push(live);
  return { live, facts, calls, seqs: () => facts.map((f) => f.seq) };
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets.length = 0;
});

afterEach(() => {
  for (const live of started.splice(0)) live.stop();
  vi.useRealTimers();
});

test('the first message is the token, and the first ready starts the feed', () => {
  const { live, calls } = connect();
  expect(socket(0).url).toMatch(/^ws:.*\/api\/v1\/live\?endpoint=a$/);
  socket(0).ready(41);
  expect(socket(0).sent).toEqual(['{"token":"T"}']);
  expect(calls.start).toHaveBeenCalledExactlyOnceWith(41);
  expect(live.state).toBe('live');
});

test('a lost connection resumes after the last fact, and repeats are dropped', () => {
  const { live, calls, seqs } = connect();
  socket(0).ready(41);
  socket(0).say(arrival(42));
  socket(0).say(arrival(44));
  socket(0).die();
  expect(live.state).toBe('waiting');
  expect(live.retryIn).toBe(1);
  vi.advanceTimersByTime(500);
  expect(after(1)).toBe('44');
  socket(1).ready(60);
  socket(1).say(arrival(44));
  socket(1).say(arrival(47));
  expect(seqs()).toEqual([42, 44, 47]);
  expect(calls.start).toHaveBeenCalledTimes(1);
  expect(calls.resync).not.toHaveBeenCalled();
});

test('nothing of a socket that was given up is taken', () => {
  const { seqs } = connect();
  socket(0).ready(1);
  const old = socket(0);
  old.die();
  vi.advanceTimersByTime(500);
  old.say(arrival(9));
  old.die();
  expect(seqs()).toEqual([]);
  expect(sockets).toHaveLength(2);
});

test('retries come later and later, and the countdown is told', () => {
  const { live } = connect();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    socket(i).die();
    const before = Date.now();
    expect(live.retryIn).toBeGreaterThan(0);
    while (sockets.length === i + 1) vi.advanceTimersByTime(100);
    waits.push(Date.now() - before);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test('a ready resets the wait', () => {
  connect();
  for (let i = 0; i < 4; i++) {
    socket(i).die();
    vi.advanceTimersByTime(15_000);
  }
  socket(4).ready(1);
  socket(4).die();
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(6);
});

test('a cursor that cannot be resumed loads everything again', () => {
  const { live, calls } = connect();
  socket(0).ready(41);
  socket(0).say({ type: 'resync', last: 90 });
  expect(calls.resync).toHaveBeenCalledTimes(1);
  socket(0).die();
  vi.advanceTimersByTime(500);
  expect(after(1)).toBe('90');
  // A server with another data folder is behind the cursor.
  socket(1).ready(3);
  expect(calls.resync).toHaveBeenCalledTimes(2);
  expect(live.cursor).toBe(3);
});

test('a refused token ends it', () => {
  const { live, calls } = connect();
  socket(0).onopen?.();
  socket(0).die(1008);
  vi.advanceTimersByTime(60_000);
  expect(calls.refused).toHaveBeenCalledTimes(1);
  expect(live.state).toBe('stopped');
  expect(sockets).toHaveLength(1);
});

test('offline waits for online', () => {
  const { live } = connect();
  socket(0).ready(1);
  dispatchEvent(new Event('offline'));
  expect(live.state).toBe('offline');
  expect(socket(0).closed).toBe(true);
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  dispatchEvent(new Event('online'));
  expect(after(1)).toBe('1');
});
