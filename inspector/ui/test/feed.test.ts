import { describe, expect, test } from 'vitest';
import { Feed } from '../src/lib/feed.svelte';
import { nextSeq } from '../src/lib/rows';
import { arrival, capture, deletion, ended, server } from './made';

const seqs = (feed: Feed) => Array.from({ length: feed.shown }, (_, i) => feed.at(i)?.seq);

async function loaded(...list: number[]) {
  const { api, asked } = server();
  const feed = new Feed(api, 'a');
  void feed.load();
  await asked[0]?.answer({ captures: list.map((s) => capture(s)), next: null });
  return { feed, asked };
}

function push(feed: Feed, ...facts: Parameters<Feed['push']>[0][]): void {
  for (const fact of facts) feed.push(fact);
  feed.flush();
}

test('a page and what follows it stand newest first, each once', async () => {
  const { feed } = await loaded(5, 3, 1);
  push(feed, arrival(5), arrival(7), ended(8, 5), ended(9, 7, 503), arrival(10));
  expect(seqs(feed)).toEqual([10, 7, 5, 3, 1]);
  expect(feed.find(5)?.outcome?.status).toBe(200);
  expect(feed.find(7)?.outcome?.status).toBe(503);
});

test('facts that come while a page is on its way are not lost', async () => {
  const { api, asked } = server();
  const feed = new Feed(api, 'a');
  void feed.load();
  push(feed, arrival(4), ended(5, 2), ended(6, 4));
  push(feed, deletion(7, { captures: [1] }));
  // The server read this page before any of those facts.
  await asked[0]?.answer({ captures: [capture(2), capture(1)], next: null });
  expect(seqs(feed)).toEqual([4, 2]);
  expect(feed.find(2)?.outcome?.seq).toBe(5);
  expect(feed.find(4)?.outcome?.seq).toBe(6);
});

test('catching up never takes an outcome back', async () => {
  const { feed, asked } = await loaded(2, 1);
  push(feed, ended(3, 2));
  void feed.catchUp();
  await asked[1]?.answer({ captures: [capture(4), capture(2), capture(1)], next: null });
  expect(seqs(feed)).toEqual([4, 2, 1]);
  expect(feed.find(2)?.outcome?.seq).toBe(3);
});

test('catching up over a gap begins anew, so that nothing is missing in between', async () => {
  const { feed, asked } = await loaded(2, 1);
  void feed.catchUp();
  await asked[1]?.answer({ captures: [capture(90), capture(80)], next: 80 });
  expect(seqs(feed)).toEqual([90, 80]);
  expect(feed.next).toBe(80);
  void feed.older();
  expect(asked[2]?.query['before']).toBe(80);
  await asked[2]?.answer({ captures: [capture(70), capture(2)], next: null });
  expect(seqs(feed)).toEqual([90, 80, 70, 2]);
  expect(feed.next).toBeNull();
});

describe('while somebody reads', () => {
  test('new rows wait, and changes to the rows shown still come', async () => {
    const { feed } = await loaded(3, 2, 1);
    feed.hold();
    push(feed, arrival(5), ended(6, 3), arrival(7));
    expect(seqs(feed)).toEqual([3, 2, 1]);
    expect(feed.waiting).toBe(2);
    expect(feed.at(0)?.outcome?.seq).toBe(6);
    feed.follow();
    expect(seqs(feed)).toEqual([7, 5, 3, 2, 1]);
    expect(feed.waiting).toBe(0);
  });

  test('the newest row shown may be deleted', async () => {
    const { feed } = await loaded(3, 2, 1);
    feed.hold();
    push(feed, arrival(5), deletion(6, { captures: [3] }));
    expect(seqs(feed)).toEqual([2, 1]);
    expect(feed.waiting).toBe(1);
  });

  test('keys go from row to row and stop at the ends', async () => {
    const { feed } = await loaded(3, 2, 1);
    expect(nextSeq(feed, null, 1)).toBe(3);
    expect(nextSeq(feed, 3, 1)).toBe(2);
    expect(nextSeq(feed, 1, 1)).toBe(1);
    expect(nextSeq(feed, 3, -1)).toBe(3);
  });
});

test('a class filter holds for what arrives', async () => {
  const { feed, asked } = await loaded(2, 1);
  void feed.setFilter({ class: 'rejected', q: '' });
  expect(asked[1]?.query['class']).toBe('rejected');
  await asked[1]?.answer({ captures: [], next: null });
  push(feed, arrival(5), arrival(6, { class: 'rejected' }));
  expect(seqs(feed)).toEqual([6]);
});

test('an answer to an older filter is dropped', async () => {
  const { feed, asked } = await loaded(1);
  void feed.setFilter({ class: '', q: 'a' });
  void feed.setFilter({ class: '', q: 'ab' });
  await asked[1]?.answer({ captures: [capture(9)], next: null });
  await asked[2]?.answer({ captures: [capture(8)], next: null });
  expect(seqs(feed)).toEqual([8]);
});

test.each([
  ['a class up to a seq', { class: 'rejected', through: 3 }, [4, 3, 1]],
  ['all up to a seq', { through: 2 }, [4, 3]],
  ['the endpoint', { endpoint: true }, []],
])('deletion of %s', async (_name, d, want) => {
  const { feed } = await loaded(3, 1);
  push(feed, arrival(2, { class: 'rejected' }), arrival(4, { class: 'rejected' }));
  push(feed, deletion(9, d));
  expect(seqs(feed)).toEqual(want);
});

test('a failed load says why and can be repeated', async () => {
  const { api, asked } = server();
  const feed = new Feed(api, 'a');
  void feed.load();
  await asked[0]?.fail(new Error('The server cannot be reached.'));
  expect(feed.error).toBe('The server cannot be reached.');
  expect(feed.loaded).toBe(false);
  void feed.load();
  await asked[1]?.answer({ captures: [capture(1)], next: null });
  expect(feed.error).toBe('');
  expect(seqs(feed)).toEqual([1]);
});

test('100 000 rows take arrivals', async () => {
  const list = Array.from({ length: 100_000 }, (_, i) => 100_000 - i);
  const { feed } = await loaded(...list);
  for (let i = 0; i < 20; i++) push(feed, arrival(200_000 + i), ended(300_000 + i, 50_000 + i));
  expect(feed.shown).toBe(100_020);
});

test('the first attempt of a delivery knows how many there are', async () => {
  const { feed } = await loaded(1);
  push(feed, arrival(3, { delivery: 'd', attempt: 1 }));
  expect(feed.attempts.get('d')).toBeUndefined();
  push(feed, arrival(5, { delivery: 'd', attempt: 2 }), arrival(7, { delivery: 'd', attempt: 3 }), arrival(9, { delivery: 'e' }));
  expect(feed.attempts).toEqual(new Map([['d', 3]]));
  push(feed, deletion(11, { captures: [7] }));
  expect(feed.attempts.get('d')).toBe(2);
});
