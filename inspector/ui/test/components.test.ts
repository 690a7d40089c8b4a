import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test, vi } from 'vitest';
import HeadersTable from '../src/components/HeadersTable.svelte';
import JsonTree from '../src/components/JsonTree.svelte';
import ObjectBadge from '../src/components/ObjectBadge.svelte';
import Row from '../src/components/Row.svelte';
import Tabs from '../src/components/Tabs.svelte';
import type { Resolved } from '../src/lib/api';
import { capture, outcome } from './made';

afterEach(cleanup);

const hostile = '<img src=x onerror=alert(1)>\u202e\u0000';

test('a row shows what a sender wrote as text, with its deceptions visible', () => {
  const { container } = render(Row, {
    capture: capture(7, {
      method: hostile, target: '/' + hostile, class: 'rejected', reason: 'secret_wrong', attempt: 2, gap_ms: 4100, outcome: outcome(8, 401),
      payload: { kind: 'text', variant: '', title: hostile, snippet: hostile, problems: [] },
    }),
    place: 0, total: 1, selected: true, open: () => {},
  });
  expect(container.querySelector('img')).toBeNull();
  const row = screen.getByRole('option');
  expect(row.getAttribute('aria-selected')).toBe('true');
  for (const said of ['rejected', 'wrong secret', 'attempt 2', '+4.1 s', 'answered 401', '<img src=x onerror=alert(1)>\\u202e\\u0000']) {
    expect(row.textContent).toContain(said);
  }
});

test('a row opens its capture', () => {
  const open = vi.fn();
  render(Row, { capture: capture(7), place: 0, total: 1, selected: false, open });
  screen.getByRole('option').click();
  expect(open).toHaveBeenCalledExactlyOnceWith(7);
});

test('a tree folds deep and long values', async () => {
  render(JsonTree, { value: { a: { b: { c: { d: 1 } } }, long: 'x'.repeat(1000), list: Array.from({ length: 150 }, (_, i) => i), [hostile]: hostile }, label: 'Body' });
  const tree = screen.getByRole('group', { name: 'Body' });
  expect(tree.textContent).toContain('602 more characters');
  expect(tree.textContent).toContain('150 items');
  expect(tree.textContent).not.toContain('"d"');
  expect(tree.querySelector('img')).toBeNull();
  screen.getByRole('button', { name: 'Unfold list' }).click();
  await vi.waitFor(() => expect(tree.textContent).toContain('… 50 more'));
});

test('an object that was not fetched says why', () => {
  const object: Resolved = {
    seq: 1, capture: 1, name: 'runs.0.inputs', url: '', state: 'too_large', status: 'too_large', http_status: 200, code: 'too_large', message: 'It has 40 MB.', size: 0, sha256: '',
    content_type: '', tries: 1, expires_at: new Date(Date.now() + 600_500).toISOString(), next_try_at: null, done_at: null,
  };
  const { container } = render(ObjectBadge, { object });
  expect(container.textContent).toContain('too large');
  expect(container.textContent).toContain('URL expires in 10 min');
  expect(container.textContent).toContain('It has 40 MB.');
});

test('tabs are tied to their panel and go round by arrow keys', async () => {
  render(Tabs, { tabs: [{ id: 'a', name: 'A' }, { id: 'b', name: 'B' }], selected: 'b', label: 'Parts', base: 't' });
  const [a, b] = screen.getAllByRole('tab');
  expect(b?.getAttribute('aria-selected')).toBe('true');
  expect(a?.getAttribute('tabindex')).toBe('-1');
  b?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
  await vi.waitFor(() => expect(a?.getAttribute('aria-selected')).toBe('true'));
});

test('each attempt of a retried delivery says which it is', () => {
  const { container, rerender } = render(Row, { capture: capture(7), place: 0, total: 1, selected: false, open: () => {} });
  expect(container.textContent).not.toContain('attempt');
  void rerender({ attempts: 3 });
  return Promise.resolve().then(() => expect(container.textContent).toContain('attempt 1/3'));
});

test('a header as long as a head is shown in part, and copied whole', async () => {
  const value = 'v'.repeat(60_000);
  const { container } = render(HeadersTable, { caption: 'Headers', pairs: [['X-' + 'Name'.repeat(5000), value], ['<b>', hostile]] });
  expect(container.textContent.length).toBeLessThan(5000);
  expect(container.querySelector('b')).toBeNull();
  screen.getByRole('button', { name: '… 59 000 more characters' }).click();
  await vi.waitFor(() => expect(container.textContent).toContain(value));
});
