import { minify } from 'terser';
import type { Plugin, Rolldown } from 'vite';

/** What the settings are made of, and what else is not needed for the first screen but is too small for a chunk of its own. */
const editor = /components\/(rules\/|DeleteEndpoint|PairEditor|Section|\w*Settings)/;
const more = /components\/(access\/|tests\/|DeliveryTab|DiffScreen|FindMenu|HelpBody)|lib\/sound/;

/**
 * Puts modules into few chunks, because small ones compress badly: what the first screen needs, and what people open now
 * and then. All styles are in the first, but for those of the settings, which only who edits them needs.
 */
export function chunkOf(entry: string): (id: string, context: Rolldown.ChunkingContext) => string | null {
  const first = new Set<string>();
  function reach(id: string, context: Rolldown.ChunkingContext): void {
    if (first.has(id)) return;
    first.add(id);
    for (const to of context.getModuleInfo(id)?.importedIds ?? []) reach(to, context);
  }
  return (id, context) => {
    reach(entry, context);
    if (first.has(id) || (/\.css$/.test(id) && !editor.test(id))) return 'app';
    return more.test(id) ? 'more' : null;
  };
}

/**
 * Takes the code for pages that a server rendered out of Svelte's runtime. Svelte guards all of it by one variable, so
 * that bundlers can drop it, but they do not see that nothing ever sets it.
 */
export function withoutHydration(): Plugin {
  return {
    name: 'without-hydration',
    apply: 'build',
    transform: {
      filter: { id: /svelte\/src\/internal\/client\/dom\/hydration\.js$/ },
      handler(code) {
        const out = code.replace('export let hydrating = false', 'export const hydrating = false').replace('hydrating = value;', '');
        if (code.length - out.length !== 'hydrating = value;'.length - 'const'.length + 'let'.length) this.error('Svelte guards hydration in another way now');
        return { code: out, map: null };
      },
    },
  };
}

/**
 * Minifies once more what Vite's own minifier made, for about one per cent. Getters must not be taken for pure: effects
 * read state to depend on it.
 */
export function tighter(): Plugin {
  return {
    name: 'tighter',
    apply: 'build',
    async generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue;
        const out = await minify(file.code, { module: true, ecma: 2020, mangle: false, compress: { passes: 2 } });
        if (out.code === undefined) this.error(`${file.fileName} could not be minified`);
        file.code = out.code;
      }
    },
  };
}

/**
 * Replaces what Vite puts around import(): its part that loads chunks beforehand is not used here. Only the style of a
 * chunk remains to be waited for.
 */
export function plainImports(): Plugin {
  return {
    name: 'plain-imports',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      return id === '\0vite/preload-helper.js' ? `export const __vitePreload = ${load};` : undefined;
    },
  };
}

/** Runs in the page: loads a chunk and its styles. A style that could not be loaded is asked for the next time. */
async function load(chunk: () => Promise<unknown>, styles: string[] = []): Promise<unknown> {
  const [loaded] = await Promise.all([
    chunk(),
    ...styles.map((href) => {
      if (document.querySelector(`link[href="/${href}"]`)) return;
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/' + href });
      return new Promise((done, fail) => {
        link.onload = done;
        link.onerror = () => {
          link.remove();
          fail(new Error(`${href} could not be loaded`));
        };
        document.head.append(link);
      });
    }),
  ]);
  return loaded;
}
