// The lines of the list: captures newest first, with the earlier attempts of a delivery folded under its newest.
import type { Capture } from './api';
import { find } from './rows';

export interface Line {
  capture: Capture;
  /** A head stands for its delivery, a nested line is one of its earlier attempts. */
  role: 'alone' | 'head' | 'nested';
  open: boolean;
}

export interface Lines {
  /** Where each line stands in the rows; nested ones as ~index. */
  places: number[];
  /** Where the attempts of the deliveries with several of them stand. */
  members: ReadonlyMap<string, number[]>;
}

interface Options {
  /** Deliveries that may have several attempts; none lays out each capture for itself. */
  several: ReadonlyMap<string, number>;
  unfolded: ReadonlySet<string>;
  /** The capture that must be in sight: it unfolds its delivery unless it is the head. */
  cursor: number | null;
}

/** Lays out the first shown of rows, which ascend by seq. */
export function layout(rows: readonly Capture[], shown: number, options: Options): Lines {
  const groups: (number[] | undefined)[] = [];
  const members = membersOf(rows, shown, options.several, groups);
  const at = options.cursor === null ? undefined : find(rows, options.cursor);
  const places: number[] = [];
  for (let i = shown - 1; i >= 0; i--) {
    const group = groups[i];
    const all = group && group.length > 1 ? group : undefined;
    if (!all || all[all.length - 1] === i) places.push(i);
    else continue;
    const delivery = all && (rows[i]?.delivery ?? '');
    const open = delivery !== undefined && (options.unfolded.has(delivery) || (at?.delivery === delivery && at !== rows[i]));
    if (all && open) for (let n = all.length - 2; n >= 0; n--) places.push(~(all[n] ?? 0));
  }
  return { places, members };
}

/**
 * Where the attempts of deliveries with several of them stand among the first shown of rows; groups gets the same by row.
 * A list of 100 000 rows pays for each look into a map, so there is one for each row.
 */
export function membersOf(rows: readonly Capture[], shown: number, several: Options['several'], groups: (number[] | undefined)[] = []): Map<string, number[]> {
  const members = new Map<string, number[]>();
  if (several.size === 0) return members;
  for (const delivery of several.keys()) members.set(delivery, []);
  for (let i = 0; i < shown; i++) {
    const known = members.get(rows[i]?.delivery ?? '');
    known?.push(i);
    groups.push(known);
  }
  for (const [delivery, all] of members) if (all.length < 2) members.delete(delivery);
  return members;
}

/** The line at a place. */
export function lineAt(rows: readonly Capture[], lines: Lines, place: number): Line | undefined {
  const at = lines.places[place];
  if (at === undefined) return undefined;
  const capture = rows[at < 0 ? ~at : at];
  if (!capture) return undefined;
  if (at < 0) return { capture, role: 'nested', open: false };
  if (!lines.members.has(capture.delivery)) return { capture, role: 'alone', open: false };
  return { capture, role: 'head', open: (lines.places[place + 1] ?? 0) < 0 };
}

/** The place of the line that shows a row, or -1. */
export function placeOf(lines: Lines, index: number): number {
  const nested = ~index;
  return lines.places.findIndex((at) => at === index || at === nested);
}
