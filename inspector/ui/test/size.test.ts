import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const dist = join(import.meta.dirname, '../dist');
const assets = readdirSync(join(dist, 'assets'));
const text = (name: string): string => readFileSync(join(dist, name), 'utf8');

// The editor of an endpoint's settings and rules: the only part that the bound does not count.
const editor = ['Settings.css', 'Settings.js'];

test('the page has at most 120 kB, compressed, without the editor of the settings', () => {
  const zipped = (name: string): number => execFileSync('gzip', ['-9', '-c', join(dist, 'assets', name)]).length;
  const sizes = assets.filter((name) => !editor.includes(name)).map((name) => [name, zipped(name)] as const);
  expect(sizes.map(([name]) => name)).toContain('app.js');
  expect(sizes.reduce((sum, [, size]) => sum + size, 0), JSON.stringify(sizes)).toBeLessThanOrEqual(120_000);
});

test('what the bound does not count is loaded only when it is opened', () => {
  expect(assets).toEqual(expect.arrayContaining(editor));
  for (const name of ['index.html', 'assets/app.js', 'assets/more.js']) {
    expect(text(name)).not.toMatch(/(?:src|href)="[^"]*Settings\.|(?:from|import) ?["'`][^"'`]*Settings\./);
  }
});
