// What somebody prefers, kept in this browser.

export interface Choices {
  /** Attempts of one delivery under one line of the list. */
  grouped: boolean;
  /** How the list shows times. */
  times: 'exact' | 'relative';
  zone: 'local' | 'utc';
  /** Tells of new captures while the page is not looked at. */
  notify: boolean;
  badge: boolean;
  /** A short sound with new captures. */
  sound: boolean;
  /** Where app paths of runs lead to; empty takes the endpoint's base. */
  appBase: string;
  /** The policy that each endpoint's sender claims. */
  policies: Record<string, string>;
}

const key = 'hookrange.choices';

const usual: Choices = {
  grouped: true, times: 'exact', zone: 'local', notify: false, badge: true, sound: false, appBase: '', policies: {},
};

/** Takes what fits of a stored text, and the usual for the rest. */
export function choicesOf(text: string | null): Choices {
  let kept: unknown;
  try {
    kept = JSON.parse(text ?? '{}');
  } catch {
    kept = {};
  }
  const out: Choices = { ...usual };
  if (typeof kept !== 'object' || kept === null) return out;
  for (const [name, value] of Object.entries(kept)) {
    const known = name as keyof Choices;
    if (!(known in usual) || typeof value !== typeof usual[known] || value === null) continue;
    if (known === 'times' && value !== 'exact' && value !== 'relative') continue;
    if (known === 'zone' && value !== 'local' && value !== 'utc') continue;
    Object.assign(out, { [known]: value as unknown });
  }
  return out;
}

class Prefs {
  #choices = $state.raw<Choices>(choicesOf(read()));

  constructor() {
    // Another tab of this browser has changed them.
    addEventListener('storage', (event) => {
      if (event.key === key) this.#choices = choicesOf(event.newValue);
    });
  }

  get now(): Choices {
    return this.#choices;
  }

  set(changes: Partial<Choices>): void {
    this.#choices = { ...this.#choices, ...changes };
    try {
      localStorage.setItem(key, JSON.stringify(this.#choices));
    } catch {
      // A browser that keeps nothing still has them until the page is left.
    }
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export const prefs = new Prefs();
