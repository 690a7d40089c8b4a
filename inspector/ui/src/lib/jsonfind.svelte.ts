// Searching within a JSON value.
import { BigLiteral, entriesOf, kindOf } from './json';

export type Keys = (string | number)[];

const mostFound = 1000;
const mostLooked = 500_000;

export interface Found {
  /** The way to each name or value that has the text, in order. */
  places: Keys[];
  /** Whether there may be more. */
  more: boolean;
}

/** Names and plain values that have a text in them, whatever the case. */
export function findIn(value: unknown, text: string): Found {
  const found: Found = { places: [], more: false };
  const needle = text.toLowerCase();
  if (needle === '') return found;
  const todo: { value: unknown; keys: Keys }[] = [{ value, keys: [] }];
  for (let looked = 0; todo.length > 0; looked++) {
    const next = todo.pop();
    if (!next) break;
    if (looked >= mostLooked || found.places.length >= mostFound) {
      found.more = true;
      break;
    }
    const key = next.keys[next.keys.length - 1];
    const children = entriesOf(next.value);
    const named = typeof key === 'string' && key.toLowerCase().includes(needle);
    if (named || (children.length === 0 && plain(next.value).includes(needle))) found.places.push(next.keys);
    for (let i = children.length - 1; i >= 0; i--) {
      const [name, child] = children[i] ?? ['', null];
      todo.push({ value: child, keys: [...next.keys, name] });
    }
  }
  return found;
}

function plain(value: unknown): string {
  if (value instanceof BigLiteral) return value.source.toLowerCase();
  const kind = kindOf(value);
  return kind === 'object' || kind === 'array' ? '' : String(value).toLowerCase();
}

/** What a tree is searched for, and the place that is shown. */
export class Sought {
  text = $state('');
  keys = $state.raw<Keys | null>(null);

  /** The step below a node on the way to the place: undefined off the way, null at the place itself. */
  step(keys: Keys): string | number | null | undefined {
    const to = this.keys;
    if (!to || to.length < keys.length || keys.some((k, i) => to[i] !== k)) return undefined;
    return to.length === keys.length ? null : to[keys.length];
  }
}
