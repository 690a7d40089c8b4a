// The captures that the list knows: ascending by seq, without repeats.
import type { Capture, Fact } from './api';

/** Where seq stands or would stand in rows. */
export function indexOf(rows: readonly Capture[], seq: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((rows[mid]?.seq ?? 0) < seq) low = mid + 1;
    else high = mid;
  }
  return low;
}

export function find(rows: readonly Capture[], seq: number): Capture | undefined {
  const row = rows[indexOf(rows, seq)];
  return row?.seq === seq ? row : undefined;
}

/** Adds captures in any order to rows in theirs; one that is known is replaced, but never loses its outcome to an older view of it. */
export function merge(rows: readonly Capture[], page: readonly Capture[]): Capture[] {
  if (page.length === 0) return rows.slice();
  const added = page.slice().sort((a, b) => a.seq - b.seq);
  if ((added[0]?.seq ?? 0) > (rows[rows.length - 1]?.seq ?? 0)) return rows.concat(added);
  if ((added[added.length - 1]?.seq ?? 0) < (rows[0]?.seq ?? 0)) return added.concat(rows);
  // Only the rows among which some are added are walked through.
  const from = indexOf(rows, added[0]?.seq ?? 0);
  const to = indexOf(rows, (added[added.length - 1]?.seq ?? 0) + 1);
  const joined: Capture[] = [];
  let next = from;
  for (const row of added) {
    for (let known = rows[next]; next < to && known && known.seq <= row.seq; known = rows[++next]) joined.push(known);
    const last = joined[joined.length - 1];
    if (last?.seq !== row.seq) joined.push(row);
    else joined[joined.length - 1] = last.outcome && !row.outcome ? { ...row, outcome: last.outcome } : row;
  }
  return rows.slice(0, from).concat(joined, rows.slice(to));
}

/** Carries out outcomes and resolved objects on rows in place; those about captures not there are ignored. */
export function applyChanges(rows: Capture[], facts: readonly Fact[]): void {
  for (const fact of facts) {
    if (fact.fact !== 'outcome' && fact.fact !== 'resolved' && fact.fact !== 'note') continue;
    const at = indexOf(rows, fact.of);
    const row = rows[at];
    if (row?.seq !== fact.of) continue;
    if (fact.fact === 'outcome') rows[at] = { ...row, outcome: fact.outcome };
    else if (fact.fact === 'note') rows[at] = { ...row, note: fact.note };
    else {
      const others = row.resolved.filter((o) => o.name !== fact.object.name);
      rows[at] = { ...row, resolved: [...others, fact.object] };
    }
  }
}

/** Whether a deletion takes a capture away. */
export function deletes(fact: Fact & { fact: 'deletion' }, capture: Pick<Capture, 'seq' | 'class'>): boolean {
  const d = fact.deletion;
  if (d.endpoint) return true;
  if (d.connections) return false;
  if (d.captures && d.captures.length > 0) return d.captures.includes(capture.seq);
  if (d.class && d.class !== capture.class) return false;
  return capture.seq <= (d.through || fact.seq);
}

interface Listed {
  length: number;
  at(index: number): Capture | undefined;
  placeOf(seq: number): number;
}

/** The capture one row down (1) or up (-1) from a capture; the newest when there is none to start from. */
export function nextSeq(list: Listed, from: number | null, by: 1 | -1): number | null {
  const place = from === null ? -1 : list.placeOf(from);
  const to = place < 0 ? 0 : Math.max(0, Math.min(list.length - 1, place + by));
  return list.at(to)?.seq ?? null;
}
