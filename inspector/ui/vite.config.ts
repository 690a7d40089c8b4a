import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { chunkOf, plainImports, tighter, withoutHydration } from './slim.ts';

const source = join(import.meta.dirname, 'src');
const components = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.svelte'))
  .map((file) => file.replaceAll('\\', '/'))
  .sort();

// File names carry no hash: the Go server makes an ETag from the content, and diffs of dist stay small.
export default defineConfig(({ mode }) => ({
  plugins: [
    svelte({
      compilerOptions: {
        discloseVersion: false,
        // A number for each component: a hash does not compress, and is in each of its selectors and elements.
        cssHash: ({ filename }) => '_' + components.indexOf(relative(source, filename).replaceAll('\\', '/')).toString(36),
      },
    }),
    plainImports(),
    withoutHydration(),
    tighter(),
  ],
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/entry.js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: ({ names }) => (names.includes('index.css') ? 'assets/app.css' : 'assets/[name][extname]'),
        codeSplitting: { groups: [{ debugName: 'few', name: chunkOf(join(source, 'main.ts')) }] },
      },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.ts'],
  },
}));
