// Differences of two captures: lines against lines, and JSON by its structure.
import { childPath, entriesOf, kindOf, stringify } from './json';

export type Side = 'same' | 'removed' | 'added';

export interface LineDiff {
  side: Side;
  text: string;
}

/** A longer table of common lines would take too long: what is beyond is compared as a whole. */
const mostCells = 4_000_000;

/** Lines that were removed, were added, or stayed, in order. */
export function diffLines(before: readonly string[], after: readonly string[]): LineDiff[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const same = (lines: readonly string[]) => lines.map((text): LineDiff => ({ side: 'same', text }));
  const middle = between(before.slice(start, before.length - end), after.slice(start, after.length - end));
  return [...same(before.slice(0, start)), ...middle, ...same(before.slice(before.length - end))];
}

function between(before: readonly string[], after: readonly string[]): LineDiff[] {
  const removed = (text: string): LineDiff => ({ side: 'removed', text });
  const added = (text: string): LineDiff => ({ side: 'added', text });
  if (before.length * after.length === 0 || before.length * after.length > mostCells) return [...before.map(removed), ...after.map(added)];
  const common = commonTable(before, after);
  const width = after.length + 1;
  const out: LineDiff[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      out.push({ side: 'same', text: before[i] ?? '' });
      i++;
      j++;
    } else if (j >= after.length || (i < before.length && (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))) {
      out.push(removed(before[i++] ?? ''));
    } else out.push(added(after[j++] ?? ''));
  }
  return out;
}

/** How many lines are common from each pair of places on. */
function commonTable(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1;
  const table = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const best = Math.max(table[(i + 1) * width + j] ?? 0, table[i * width + j + 1] ?? 0);
      table[i * width + j] = before[i] === after[j] ? (table[(i + 1) * width + j + 1] ?? 0) + 1 : best;
    }
  }
  return table;
}

export interface Change {
  path: string;
  kind: 'added' | 'removed' | 'changed';
  before?: unknown;
  after?: unknown;
}

export interface Structural {
  changes: Change[];
  /** Values that are the same in both. */
  same: number;
  /** Whether there are more changes than are listed. */
  more: boolean;
}

const mostChanges = 500;
const mostDepth = 200;

/** What differs between two JSON values, by path. The order of an object's names is no difference. */
export function diffJson(before: unknown, after: unknown): Structural {
  const out: Structural = { changes: [], same: 0, more: false };
  compare(before, after, '', 0, out);
  return out;
}

function note(out: Structural, change: Change): void {
  if (out.changes.length >= mostChanges) out.more = true;
  else out.changes.push(change);
}

function compare(before: unknown, after: unknown, path: string, depth: number, out: Structural): void {
  const kind = kindOf(before);
  const nested = kind === kindOf(after) && (kind === 'object' || kind === 'array') && depth < mostDepth;
  if (nested && kind === 'array') compareLists(before as unknown[], after as unknown[], path, depth, out);
  else if (nested) compareObjects(before as object, after as object, path, depth, out);
  else if (stringify(before, 0) === stringify(after, 0)) out.same++;
  else note(out, { path, kind: 'changed', before, after });
}

function compareObjects(before: object, after: object, path: string, depth: number, out: Structural): void {
  const there = new Map(entriesOf(after));
  for (const [key, value] of entriesOf(before)) {
    const at = childPath(path, key);
    if (there.has(key)) compare(value, there.get(key), at, depth + 1, out);
    else note(out, { path: at, kind: 'removed', before: value });
    there.delete(key);
  }
  for (const [key, value] of there) note(out, { path: childPath(path, key), kind: 'added', after: value });
}

/** Items that are the same stand together whatever came between them; what is left is compared in pairs. */
function compareLists(before: unknown[], after: unknown[], path: string, depth: number, out: Structural): void {
  const lines = diffLines(before.map((v) => stringify(v, 0)), after.map((v) => stringify(v, 0)));
  let i = 0;
  let j = 0;
  let removed: number[] = [];
  let added: number[] = [];
  const flush = () => {
    const pairs = Math.min(removed.length, added.length);
    for (let n = 0; n < pairs; n++) compare(before[removed[n] ?? 0], after[added[n] ?? 0], childPath(path, added[n] ?? 0), depth + 1, out);
    for (const at of removed.slice(pairs)) note(out, { path: childPath(path, at), kind: 'removed', before: before[at] });
    for (const at of added.slice(pairs)) note(out, { path: childPath(path, at), kind: 'added', after: after[at] });
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.side === 'removed') removed.push(i++);
    else if (line.side === 'added') added.push(j++);
    else {
      flush();
      out.same++;
      i++;
      j++;
    }
  }
  flush();
}
