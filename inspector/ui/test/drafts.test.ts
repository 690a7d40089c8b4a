import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test, vi } from 'vitest';
import NoteBar from '../src/components/NoteBar.svelte';
import PlanSettings from '../src/components/PlanSettings.svelte';
import type { Endpoint } from '../src/lib/api';
import type { Detail } from '../src/lib/capture.svelte';
import type { Workspace } from '../src/lib/workspace.svelte';
import { capture } from './made';

afterEach(() => {
  cleanup();
  sessionStorage.clear();
  vi.unstubAllGlobals();
});

const detail = (seq: number) => ({ route: '/endpoints/a/captures/' + seq, noted: () => {} }) as unknown as Detail;
const note = (seq: number) => render(NoteBar, { detail: detail(seq), capture: capture(seq) });
const field = () => screen.queryByRole<HTMLTextAreaElement>('textbox')?.value;

test('a note that was begun is there again after a look at another capture', async () => {
  const first = note(7);
  await fireEvent.click(screen.getByRole('button', { name: 'Note' }));
  await fireEvent.input(await screen.findByRole('textbox'), { target: { value: 'half a th' } });
  first.unmount();

  const other = note(8);
  expect(field()).toBeUndefined();
  other.unmount();

  const again = note(7);
  expect(field()).toBe('half a th');
  await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
  again.unmount();
  note(7);
  expect(field()).toBeUndefined();
});

test('a note that was saved is no draft any more, and the focus stays near', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify({ pinned: false, text: 'done' }))));
  const first = note(7);
  await fireEvent.click(screen.getByRole('button', { name: 'Note' }));
  const box = await screen.findByRole('textbox');
  await fireEvent.input(box, { target: { value: 'done' } });
  await fireEvent.keyDown(box, { key: 'Enter', ctrlKey: true });
  await vi.waitFor(() => expect(field()).toBeUndefined());
  first.unmount();
  note(7);
  expect(field()).toBeUndefined();
});

const plan = (name: string) => render(PlanSettings, { workspace: { name } as Workspace, settings: { respond: '200' } as Endpoint });
const leaving = () => !dispatchEvent(new Event('beforeunload', { cancelable: true }));

test('settings that were not saved are there again, and a reload asks first', async () => {
  const first = plan('a');
  expect(leaving()).toBe(false);
  await fireEvent.input(screen.getByRole('textbox'), { target: { value: '503x2 200' } });
  expect(leaving()).toBe(true);
  first.unmount();
  expect(leaving()).toBe(true);

  const other = plan('b');
  expect(field()).toBe('200');
  other.unmount();

  plan('a');
  expect(field()).toBe('503x2 200');
  await fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
  expect(leaving()).toBe(false);
});
