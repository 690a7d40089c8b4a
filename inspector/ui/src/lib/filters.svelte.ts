// Saved filters of an endpoint, kept in this browser.
import type { FeedFilter } from './feed.svelte';

export interface SavedFilter extends Pick<FeedFilter, 'class' | 'q'> {
  name: string;
}

const most = 50;
const keyOf = (endpoint: string) => 'hookrange.filters.' + endpoint;

/** What fits of a stored text. */
export function filtersOf(text: string | null): SavedFilter[] {
  try {
    const list = JSON.parse(text ?? '[]') as unknown;
    if (!Array.isArray(list)) return [];
    return list.flatMap((f: Partial<SavedFilter> | null): SavedFilter[] => {
      if (typeof f?.name !== 'string' || typeof f.q !== 'string') return [];
      const known = f.class === 'accepted' || f.class === 'rejected' || f.class === 'incomplete';
      return [{ name: f.name, q: f.q, class: known && f.class ? f.class : '' }];
    });
  } catch {
    return [];
  }
}

export class SavedFilters {
  list = $state.raw<SavedFilter[]>([]);
  #key: string;

  constructor(endpoint: string) {
    this.#key = keyOf(endpoint);
    try {
      this.list = filtersOf(localStorage.getItem(this.#key));
    } catch {
      // A browser that keeps nothing has none.
    }
  }

  /** Keeps a filter under a name, in place of another of that name. */
  save(filter: SavedFilter): void {
    this.#keep([...this.list.filter((f) => f.name !== filter.name), filter].slice(-most));
  }

  remove(name: string): void {
    this.#keep(this.list.filter((f) => f.name !== name));
  }

  #keep(list: SavedFilter[]): void {
    this.list = list;
    try {
      localStorage.setItem(this.#key, JSON.stringify(list));
    } catch {
      // Kept until the page is left.
    }
  }
}

/** A query with a term in it or without, as written at its end or beginning. */
export function withTerm(q: string, term: string, on: boolean): string {
  const rest = q.split(/\s+/).filter((t) => t !== '' && t !== term);
  return (on ? [...rest, term] : rest).join(' ');
}

export function hasTerm(q: string, term: string): boolean {
  return q.split(/\s+/).includes(term);
}
