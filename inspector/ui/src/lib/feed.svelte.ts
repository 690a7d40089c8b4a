// The captures of one endpoint as the list shows them: loaded page by page, kept up to date by facts.
import type { Api, Capture, CaptureList, Class, Fact } from './api';
import { path } from './api';
import { Attempts } from './attempts';
import { layout, lineAt, type Line, placeOf } from './lines';
import { disorder, type Mark, marksOf } from './marks';
import { applyChanges, deletes, find, indexOf, merge } from './rows';
import { said } from './said';

export interface FeedFilter {
  class: Class | '';
  q: string;
}

const pageSize = 100;
/** Facts that come close together are shown together. */
const flushEvery = 50;

/** How many rows before one may put it out of order. */
const fewBefore = 300;

export class Feed {
  /** Ascending by seq. */
  rows = $state.raw<Capture[]>([]);
  loaded = $state(false);
  loading = $state(false);
  error = $state('');
  next = $state<number | null>(null);
  filter = $state.raw<FeedFilter>({ class: '', q: '' });
  /** While reading, the newest row shown; null follows the newest. */
  heldAt = $state<number | null>(null);

  /** The time that the list goes back from, while it does not begin with the newest; empty when it does. */
  until = $state('');
  /** Whether there are newer captures than the newest row, and they are not to be shown yet. */
  ahead = $state(false);

  shown = $derived(this.heldAt === null ? this.rows.length : indexOf(this.rows, this.heldAt + 1));
  waiting = $derived(this.rows.length - this.shown);
  /** Whether attempts of one delivery share a line until it is unfolded. */
  grouped = $state(false);
  unfolded = $state.raw<ReadonlySet<string>>(new Set());
  /** The capture that the keyboard is on; it is always in sight. */
  cursor = $state<number | null>(null);
  /** Of the rows, and changed before they are. */
  #attempts = new Attempts();
  lines = $derived(
    layout(this.rows, this.shown, { attempts: this.grouped ? this.#attempts : null, unfolded: this.unfolded, cursor: this.grouped ? this.cursor : null }),
  );
  /** How many lines the list has. */
  length = $derived(this.lines.places.length);

  #api: Api;
  #endpoint: string;
  #queue: Fact[] = [];
  #early: Fact[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #abort = new AbortController();
  #listeners = new Set<(facts: Fact[]) => void>();

  constructor(api: Api, endpoint: string) {
    this.#api = api;
    this.#endpoint = endpoint;
  }

  get following(): boolean {
    return this.heldAt === null;
  }

  /** Of deliveries with more than one attempt, how many are known. */
  get attempts(): ReadonlyMap<string, number> {
    void this.rows; // Whoever asks is told when they change.
    return this.#attempts.counts;
  }

  /** The line at a place of the list, newest first. */
  line(place: number): Line | undefined {
    return lineAt(this.rows, this.lines, place);
  }

  /** The capture of a line. */
  at(place: number): Capture | undefined {
    return this.line(place)?.capture;
  }

  /** The place of a capture in the list, or -1. */
  placeOf(seq: number): number {
    const i = indexOf(this.rows, seq);
    return this.rows[i]?.seq === seq ? placeOf(this.lines, i) : -1;
  }

  /** What is remarkable about captures of the list, by seq. */
  marksOf(captures: readonly Capture[]): Map<number, Mark[]> {
    const out = new Map<number, Mark[]>();
    const disordered = disorder(this.#around(captures));
    for (const c of captures) {
      const marks = this.attempts.has(c.delivery) ? marksOf(c, this.#before(c)) : [];
      const late = disordered.get(c.seq);
      if (late) marks.push(late);
      if (marks.length > 0) out.set(c.seq, marks);
    }
    return out;
  }

  /** The rows that captures are among, with some before them: what came long ago puts nothing out of order. */
  #around(captures: readonly Capture[]): Capture[] {
    if (captures.length === 0) return [];
    const seqs = captures.map((c) => c.seq);
    const end = indexOf(this.rows, Math.max(...seqs)) + 1;
    const start = indexOf(this.rows, Math.min(...seqs)) - fewBefore;
    return this.rows.slice(Math.max(0, start, end - 10 * fewBefore), end);
  }

  /** The newest attempt shown of a delivery with several of them. */
  headOf(delivery: string): Capture | undefined {
    const all = this.#attempts.of(delivery, this.grouped ? this.rows[this.shown - 1]?.seq : undefined);
    const last = all[all.length - 1];
    return last && this.find(last.seq);
  }

  #before(c: Capture): Capture[] {
    return this.#attempts.of(c.delivery).flatMap((a) => (a.seq < c.seq ? (this.find(a.seq) ?? []) : []));
  }

  /** Shows or hides the earlier attempts of a delivery. */
  fold(delivery: string, open: boolean): void {
    const unfolded = new Set(this.unfolded);
    if (open) unfolded.add(delivery);
    else unfolded.delete(delivery);
    this.unfolded = unfolded;
  }

  find(seq: number): Capture | undefined {
    return find(this.rows, seq);
  }

  hold(): void {
    if (this.heldAt === null) this.heldAt = this.rows[this.rows.length - 1]?.seq ?? 0;
  }

  follow(): void {
    this.heldAt = null;
    if (this.ahead) void this.load();
    this.until = '';
  }

  /** Loads the page after the newest row, while the list does not begin with the newest. */
  async newer(): Promise<void> {
    const newest = this.rows[this.rows.length - 1]?.seq ?? 0;
    if (this.loading || !this.ahead) return;
    await this.#page({ after: newest, order: 'asc' }, (page) => {
      this.#join(page.captures);
      this.heldAt = this.rows[this.rows.length - 1]?.seq ?? 0;
      if (page.next === null) this.ahead = false;
    });
    // What came while the last page was read.
    if (!this.ahead && !this.error) await this.catchUp();
  }

  /** Tells of facts, after the rows have changed. Returns the way to stop. */
  subscribe(listener: (facts: Fact[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async setFilter(filter: FeedFilter): Promise<void> {
    if (filter.class === this.filter.class && filter.q === this.filter.q) return;
    this.filter = filter;
    await this.load();
  }

  /** Loads the newest page, or the newest up to a time (RFC 3339), in place of what is there. */
  async load(until = ''): Promise<void> {
    this.#abort.abort();
    this.heldAt = null;
    this.until = until;
    this.ahead = until !== '';
    await this.#page(until === '' ? {} : { until }, (page) => {
      this.#begin(page.captures);
      this.next = page.next;
      if (until !== '') this.hold();
    });
  }

  /** Loads the newest page and joins it to what is there. */
  async catchUp(): Promise<void> {
    if (this.ahead) return;
    await this.#page({}, (page) => {
      const newest = this.rows[this.rows.length - 1]?.seq ?? 0;
      const oldest = page.captures[page.captures.length - 1]?.seq ?? 0;
      const apart = page.next !== null && oldest > newest;
      if (apart) this.#begin(page.captures);
      else this.#join(page.captures);
      if (apart || !this.loaded) this.next = page.next;
    });
  }

  /** Loads the page before the oldest row. */
  async older(): Promise<void> {
    if (this.loading || this.next === null) return;
    const from = this.next;
    await this.#page({ before: from }, (page) => {
      this.#join(page.captures);
      // A search may stop before it found anything; it goes on from next, but never in a circle.
      this.next = page.next === from ? null : (page.next);
    });
  }

  push(fact: Fact): void {
    this.#queue.push(fact);
    this.#timer ??= setTimeout(() => this.flush(), flushEvery);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const facts = this.#queue;
    this.#queue = [];
    if (facts.length === 0) return;
    this.rows = this.#applied(facts);
    for (const listener of this.#listeners) listener(facts);
  }

  stop(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    this.#listeners.clear();
  }

  /** Takes captures in place of those that are there. */
  #begin(captures: readonly Capture[]): void {
    this.#attempts = new Attempts();
    this.#attempts.join(captures);
    this.rows = merge([], captures);
  }

  #join(captures: readonly Capture[]): void {
    this.#attempts.join(captures);
    this.rows = merge(this.rows, captures);
  }

  #applied(facts: Fact[]): Capture[] {
    const arrivals: Capture[] = [];
    let gone: (Fact & { fact: 'deletion' })[] = [];
    for (const fact of facts) {
      if (fact.fact === 'arrival') arrivals.push(fact.capture);
      else if (fact.fact === 'deletion') gone = [...gone, fact];
    }
    if (arrivals.length > 0 && this.filter.q !== '') this.#askAgain();
    const fresh = this.filter.q === '' && !this.ahead ? arrivals.filter((c) => this.#fits(c) && !this.find(c.seq)) : [];
    this.#attempts.join(fresh);
    const rows = merge(this.rows, fresh);
    applyChanges(rows, facts);
    // A page on its way may be older than these facts: they are carried out again when it is there.
    if (this.loading) this.#early = this.#early.concat(facts);
    if (gone.length === 0) return rows;
    const left: Capture[] = [];
    const kept = rows.filter((r) => !gone.some((d) => deletes(d, r)) || left.push(r) === 0);
    this.#attempts.leave(left);
    return kept;
  }

  #fits(capture: Capture): boolean {
    return this.filter.class === '' || capture.class === this.filter.class;
  }

  /** Only the server can say which new captures match a search. */
  #askAgain(): void {
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined;
      void this.catchUp();
    }, 400);
  }

  async #page(from: { before?: number; after?: number; until?: string; order?: string }, take: (page: CaptureList) => void): Promise<void> {
    const abort = new AbortController();
    const first = from.before === undefined && from.after === undefined;
    if (first) {
      this.#abort.abort();
      this.#abort = abort;
    }
    this.loading = true;
    try {
      const page = await this.#api.json<CaptureList>(path('endpoints', this.#endpoint, 'captures'), {
        query: { ...from, limit: pageSize, class: this.filter.class, q: this.filter.q },
        signal: first ? abort.signal : this.#abort.signal,
      });
      take(page);
      this.loaded = true;
      this.error = '';
      this.loading = false;
      const early = this.#early;
      this.#early = [];
      if (early.length > 0) this.rows = this.#applied(early);
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'AbortError') return;
      this.loading = false;
      this.error = said(cause);
    }
  }
}
