import { afterEach, expect, test, vi } from 'vitest';
import { copy } from '../src/lib/clipboard';

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.innerHTML = '';
});

test.each([
  ['the page', '<main></main><dialog></dialog>', 'body'],
  ['an open sheet', '<main></main><dialog open></dialog>', 'dialog'],
])('without a clipboard for scripts the text is selected in %s', async (_where, html, parent) => {
  vi.stubGlobal('isSecureContext', false);
  document.body.innerHTML = html;
  let seen: [string, string] | undefined;
  document.execCommand = () => {
    const area = document.querySelector('textarea');
    seen = [area?.parentElement?.localName ?? '', area?.value ?? ''];
    return true;
  };
  expect(await copy(Promise.resolve('text'))).toBe(true);
  expect(seen).toEqual([parent, 'text']);
  expect(document.querySelector('textarea')).toBeNull();
});
