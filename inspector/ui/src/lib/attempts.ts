// Which captures of a list are attempts of one delivery, kept as they come and go: a list of 100 000 captures cannot be
// looked through for each page that joins it.
import type { Capture } from './api';

export type Attempt = Pick<Capture, 'seq' | 'attempt'>;

const none: readonly Attempt[] = [];

export class Attempts {
  /** The number of attempts of each delivery that has more than one. */
  readonly counts = new Map<string, number>();
  #known = new Map<string, Attempt[]>();

  /** Takes note of captures that joined the list; those that are in it already change nothing. */
  join(captures: readonly Capture[]): void {
    for (const { delivery, seq, attempt } of captures) {
      if (!delivery) continue;
      const known = this.#known.get(delivery);
      if (!known) this.#known.set(delivery, [{ seq, attempt }]);
      else if (!insert(known, { seq, attempt })) continue;
      if (attempt > (this.counts.get(delivery) ?? 1)) this.counts.set(delivery, attempt);
    }
  }

  /** Takes note of captures that left the list. */
  leave(captures: readonly Capture[]): void {
    for (const { delivery, seq } of captures) {
      const left = this.#known.get(delivery)?.filter((a) => a.seq !== seq);
      if (!left) continue;
      if (left.length > 0) this.#known.set(delivery, left);
      else this.#known.delete(delivery);
      const most = Math.max(0, ...left.map((a) => a.attempt));
      if (most > 1) this.counts.set(delivery, most);
      else this.counts.delete(delivery);
    }
  }

  /** The attempts of a delivery that are in the list up to a capture, ascending; none unless there are several. */
  of(delivery: string, upTo = Infinity): readonly Attempt[] {
    const known = this.#known.get(delivery) ?? none;
    let n = known.length;
    while (n > 0 && (known[n - 1]?.seq ?? 0) > upTo) n--;
    if (n < 2) return none;
    return n === known.length ? known : known.slice(0, n);
  }
}

/** Puts an attempt where it belongs; false when it is there. */
function insert(known: Attempt[], attempt: Attempt): boolean {
  let at = known.length;
  while (at > 0 && (known[at - 1]?.seq ?? 0) > attempt.seq) at--;
  if (known[at - 1]?.seq === attempt.seq) return false;
  known.splice(at, 0, attempt);
  return true;
}
