import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import Choices from '../src/components/Choices.svelte';
import Row from '../src/components/Row.svelte';
import { Attention, titleOf } from '../src/lib/attention.svelte';
import { Feed } from '../src/lib/feed.svelte';
import { filtersOf, hasTerm, SavedFilters, withTerm } from '../src/lib/filters.svelte';
import { clock, dateTime, everyTime } from '../src/lib/format';
import { choicesOf, prefs } from '../src/lib/prefs.svelte';
import { keptOf, ReadState } from '../src/lib/read.svelte';
import { parseRoute } from '../src/lib/router.svelte';
import { arrival, capture, server } from './made';

beforeEach(() => {
  localStorage.clear();
  prefs.set(choicesOf(null));
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a place in the past', () => {
  const list = (...seqs: number[]) => seqs.map((seq) => capture(seq));
  const shown = (feed: Feed) => Array.from({ length: feed.length }, (_, i) => feed.at(i)?.seq);

  test('newer captures come when they are asked for, until there are none', async () => {
    const { api, asked } = server();
    const feed = new Feed(api, 'a');
    void feed.load('2026-11-22T12:00:00.000Z');
    expect(asked[0]?.query).toMatchObject({ until: '2026-11-22T12:00:00.000Z', limit: 100 });
    await asked[0]?.answer({ captures: list(6, 5), next: 5 });
    expect([shown(feed), feed.ahead, feed.following]).toEqual([[6, 5], true, false]);

    // What arrives now is not next to what is shown.
    feed.push(arrival(20));
    feed.flush();
    expect([shown(feed), feed.waiting]).toEqual([[6, 5], 0]);

    void feed.newer();
    expect(asked[1]?.query).toMatchObject({ after: 6, order: 'asc' });
    await asked[1]?.answer({ captures: list(7, 8), next: 8 });
    expect([shown(feed), feed.ahead]).toEqual([[8, 7, 6, 5], true]);

    void feed.newer();
    await asked[2]?.answer({ captures: list(20), next: null });
    expect(feed.ahead).toBe(false);
    await asked[3]?.answer({ captures: list(21, 20, 8), next: 8 });
    expect([shown(feed), feed.waiting]).toEqual([[20, 8, 7, 6, 5], 1]);
    feed.follow();
    expect([shown(feed)[0], feed.until]).toEqual([21, '']);
  });

  test('back to the newest loads them', async () => {
    const { api, asked } = server();
    const feed = new Feed(api, 'a');
    void feed.load('2026-11-22T12:00:00.000Z');
    await asked[0]?.answer({ captures: list(2), next: null });
    void feed.catchUp();
    expect(asked).toHaveLength(1);
    feed.follow();
    expect(asked[1]?.query).not.toHaveProperty('until');
    await asked[1]?.answer({ captures: list(9, 8), next: 8 });
    expect([shown(feed), feed.following, feed.ahead]).toEqual([[9, 8], true, false]);
  });
});

describe('read and unread', () => {
  test('what was there on the first visit is read, what comes later is not', () => {
    const read = new ReadState('a');
    read.start();
    read.begin(10);
    expect([read.has(10), read.has(11)]).toEqual([true, false]);
    read.mark(11, true);
    read.mark(5, false);
    expect([read.has(11), read.has(5), read.has(12)]).toEqual([true, false, false]);
    read.all(12);
    expect([read.has(5), read.has(12), read.has(13)]).toEqual([true, true, false]);
    read.stop();
  });
  test('it outlives the page', () => {
    const one = new ReadState('a');
    one.begin(3);
    one.mark(5, true);
    one.stop();
    const two = new ReadState('a');
    two.start();
    two.begin(100);
    expect([two.has(3), two.has(4), two.has(5), two.has(6)]).toEqual([true, false, true, false]);
    two.stop();
  });
  test('it stays small', () => {
    const many = Array.from({ length: 5000 }, (_, i) => 2 * i + 2);
    localStorage.setItem('hookrange.read.a', JSON.stringify({ through: 0, read: many, unread: [] }));
    const read = new ReadState('a');
    read.start();
    read.mark(10_002, true);
    read.stop();
    expect(localStorage.getItem('hookrange.read.a')?.length).toBeLessThan(40_000);
    expect([read.has(10_002), read.has(10_001), read.has(500), read.has(501)]).toEqual([true, false, true, true]);
  });
  test('what is stored may be anything', () => {
    for (const text of [null, '', '{', '[]', '{"through":"x"}', '1']) expect(keptOf(text)).toBeNull();
    expect(keptOf('{"through":1,"read":[2,"x",null],"unread":7}')).toEqual({ through: 1, read: [2], unread: [] });
  });
  test('a row says what it is', () => {
    const pinned = capture(7, { note: { seq: 8, pinned: true, text: 'ask <b>them</b>' } });
    const { container } = render(Row, { capture: pinned, place: 0, total: 1, selected: false, open: () => {}, unread: true });
    for (const said of ['unread', 'pinned', 'with a note']) expect(container.textContent).toContain(said);
    expect(container.querySelector('b b')).toBeNull();
  });
});

describe('filters', () => {
  test('are kept by name', () => {
    const saved = new SavedFilters('a');
    saved.save({ name: 'x', q: 'status:503', class: '' });
    saved.save({ name: 'y', q: '', class: 'rejected' });
    saved.save({ name: 'x', q: 'status:5xx', class: '' });
    expect(new SavedFilters('a').list).toEqual([{ name: 'y', q: '', class: 'rejected' }, { name: 'x', q: 'status:5xx', class: '' }]);
    saved.remove('y');
    expect(new SavedFilters('a').list.map((f) => f.name)).toEqual(['x']);
    expect(new SavedFilters('b').list).toEqual([]);
  });
  test('what is stored may be anything', () =>
    expect(['{', '{}', '[null,1,{"name":"a"},{"name":"a","q":"b","class":"c"}]'].map(filtersOf)).toEqual([[], [], [{ name: 'a', q: 'b', class: '' }]]));
  test('terms go in and out of a query', () => {
    expect(withTerm('a  "b c"', 'pinned:true', true)).toBe('a "b c" pinned:true');
    expect(withTerm('pinned:true a', 'pinned:true', false)).toBe('a');
    expect([hasTerm('a pinned:true', 'pinned:true'), hasTerm('-pinned:true', 'pinned:true')]).toEqual([true, false]);
  });
});

describe('attention', () => {
  const hide = (hidden: boolean) => vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(hidden ? 'hidden' : 'visible');
  test('counts what comes while nobody looks', () => {
    const attention = new Attention('a', () => {});
    attention.start();
    hide(false);
    attention.arrived(capture(1));
    expect(attention.unseen).toBe(0);
    hide(true);
    attention.arrived(capture(2));
    attention.arrived(capture(3));
    expect(titleOf('a', attention.unseen)).toBe('(2) a · Hookrange');
    hide(false);
    document.dispatchEvent(new Event('visibilitychange'));
    expect(titleOf('a', attention.unseen)).toBe('a · Hookrange');
    attention.stop();
  });
  test('the count may be turned off', () => {
    prefs.set({ badge: false });
    expect(titleOf('a', 7)).toBe('a · Hookrange');
  });
  test('tells of several at once, without a sound, and only who asked for it', () => {
    vi.useFakeTimers();
    const told: [string, NotificationOptions][] = [];
    class Told {
      static permission = 'granted';
      onclick: (() => void) | null = null;
      constructor(title: string, options: NotificationOptions) {
        told.push([title, options]);
      }
      close(): void {}
    }
    vi.stubGlobal('Notification', Told);
    hide(true);
    const attention = new Attention('a', () => {});
    attention.arrived(capture(1));
    vi.advanceTimersByTime(5000);
    expect(told).toEqual([]);
    prefs.set({ notify: true });
    attention.arrived(capture(2));
    attention.arrived(capture(3));
    vi.advanceTimersByTime(5000);
    expect(told).toEqual([['a', { body: '2 new captures', tag: 'hookrange a', silent: true }]]);
    attention.stop();
    hide(false);
  });
});

describe('choices', () => {
  test('what is stored may be anything', () => {
    expect(choicesOf('{')).toEqual(choicesOf(null));
    expect(choicesOf('{"zone":"mars","times":7,"grouped":false,"policies":null,"other":1}')).toEqual({ ...choicesOf(null), grouped: false });
  });
  test('times in the zone that is preferred, and in all of them', () => {
    const iso = '2026-11-22T12:34:56.789Z';
    expect(clock(iso)).not.toContain('Z');
    prefs.set({ zone: 'utc' });
    expect([clock(iso), dateTime(iso)]).toEqual(['12:34:56.789Z', '2026-11-22 12:34:56.789Z']);
    expect(everyTime(iso, Date.parse(iso) + 60_000)).toMatch(/^1 min ago\n2026-11-2\d \d\d:\d4:56\.789 here\n2026-11-22 12:34:56\.789Z UTC$/);
  });
  test('are made in the page', async () => {
    render(Choices);
    screen.getByRole('radio', { name: 'UTC' }).click();
    expect(JSON.parse(localStorage.getItem('hookrange.choices') ?? '{}')).toMatchObject({ zone: 'utc' });
    const field = screen.getByRole<HTMLInputElement>('textbox', { name: /LangSmith/ });
    for (const [text, kept] of [['javascript:alert(1)', ''], ['https://x.example', 'https://x.example']] as const) {
      field.value = text;
      field.dispatchEvent(new Event('input', { bubbles: true }));
      await vi.waitFor(() => expect(field.getAttribute('aria-invalid')).toBe(String(kept === '')));
      field.dispatchEvent(new Event('change', { bubbles: true }));
      expect(prefs.now.appBase).toBe(kept);
    }
  });
});

test('routes of the newest and of differences', () => {
  expect(parseRoute('/e/a/latest')).toMatchObject({ seq: null, latest: true, settings: false });
  expect(parseRoute('/e/a/9/diff/7')).toMatchObject({ seq: 9, diff: 7 });
  expect(parseRoute('/e/a/9/diff/x')).toMatchObject({ seq: 9, diff: null });
});
