// The lines of the list: captures newest first, with the earlier attempts of a delivery folded under its newest.
import type { Capture } from './api';
import type { Attempts } from './attempts';
import { find, indexOf } from './rows';

export interface Line {
  capture: Capture;
  /** A head stands for its delivery, a nested line is one of its earlier attempts. */
  role: 'alone' | 'head' | 'nested';
  open: boolean;
}

export interface Lines {
  /** Where each line stands in the rows; nested ones as ~index. */
  places: number[];
  /** For each row that is shown, whether it stands alone, for its delivery, or under another attempt. */
  kinds: Uint8Array;
}

const head = 1;
const nested = 2;

interface Options {
  /** The attempts among the rows; null lays out each capture for itself. */
  attempts: Attempts | null;
  unfolded: ReadonlySet<string>;
  /** The capture that must be in sight: it unfolds its delivery unless it is the head. */
  cursor: number | null;
}

/** Lays out the first shown of rows, which ascend by seq. */
export function layout(rows: readonly Capture[], shown: number, options: Options): Lines {
  const kinds = new Uint8Array(shown);
  const open = new Map<number, number[]>();
  if (options.attempts) groups(rows, kinds, options.attempts, options, open);
  const places: number[] = [];
  for (let i = shown - 1; i >= 0; i--) {
    const kind = kinds[i];
    if (kind !== nested) places.push(i);
    if (kind === head) for (const under of open.get(i) ?? []) places.push(~under);
  }
  return { places, kinds };
}

/** Tells heads from nested rows in kinds, and puts into open where the attempts stand that a head is unfolded over. */
function groups(rows: readonly Capture[], kinds: Uint8Array, attempts: Attempts, options: Options, open: Map<number, number[]>): void {
  const newest = rows[kinds.length - 1]?.seq ?? 0;
  const at = options.cursor === null ? undefined : find(rows, options.cursor);
  for (const delivery of attempts.counts.keys()) {
    const all = attempts.of(delivery, newest);
    const last = all[all.length - 1];
    if (!last) continue;
    const under: number[] = [];
    for (let n = all.length - 2; n >= 0; n--) {
      const i = indexOf(rows, all[n]?.seq ?? 0);
      kinds[i] = nested;
      under.push(i);
    }
    const i = indexOf(rows, last.seq);
    kinds[i] = head;
    if (options.unfolded.has(delivery) || (at?.delivery === delivery && at.seq !== last.seq)) open.set(i, under);
  }
}

/** The line at a place. */
export function lineAt(rows: readonly Capture[], lines: Lines, place: number): Line | undefined {
  const at = lines.places[place];
  if (at === undefined) return undefined;
  const capture = rows[at < 0 ? ~at : at];
  if (!capture) return undefined;
  if (at < 0) return { capture, role: 'nested', open: false };
  if (lines.kinds[at] !== head) return { capture, role: 'alone', open: false };
  return { capture, role: 'head', open: (lines.places[place + 1] ?? 0) < 0 };
}

/** The place of the line that shows a row, or -1. */
export function placeOf(lines: Lines, index: number): number {
  const nested = ~index;
  return lines.places.findIndex((at) => at === index || at === nested);
}
