// Connections to the endpoint's own listener: loaded page by page, newest first, kept up to date by facts.
import type { Api, Connection, ConnectionList, Fact } from './api';
import { path } from './api';
import { said } from './said';

const pageSize = 100;
/** Facts that come close together are shown together. */
const flushEvery = 50;

export class Connections {
  /** Descending by seq. */
  rows = $state.raw<Connection[]>([]);
  /** Those that have not ended, as of the last look. */
  open = $state.raw<Connection[]>([]);
  /** The fault that keeps connections away now, or ''. */
  shut = $state('');
  /** Why refused and dropped tries are not among the rows, or ''. */
  notCounted = $state('');
  loaded = $state(false);
  error = $state('');
  next = $state<number | null>(null);

  /** Those known that brought no request: nothing else tells of them. */
  silent = $derived(this.rows.filter((c) => c.requests === 0).length);

  #api: Api;
  #endpoint: string;
  #limit = pageSize;
  #queue: Fact[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(api: Api, endpoint: string) {
    this.#api = api;
    this.#endpoint = endpoint;
  }

  /** Loads the newest page in place of what is there. */
  async load(): Promise<void> {
    await this.#ask(undefined, pageSize, (page) => {
      this.#limit = pageSize;
      this.next = page.next;
      this.rows = page.connections;
      this.loaded = true;
    });
  }

  /** Loads the page before the oldest row. */
  async older(): Promise<void> {
    const from = this.next;
    if (from === null) return;
    await this.#ask(from, pageSize, (page) => {
      this.#limit += pageSize;
      this.next = page.next;
      this.rows = this.#joined(page.connections);
    });
  }

  /** Looks again what is open: no fact tells of a connection before it has ended. */
  async look(): Promise<void> {
    await this.#ask(undefined, 1, () => {});
  }

  push(fact: Fact): void {
    if (fact.fact !== 'connection' && fact.fact !== 'deletion') return;
    this.#queue.push(fact);
    this.#timer ??= setTimeout(() => this.flush(), flushEvery);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const facts = this.#queue;
    this.#queue = [];
    const added = facts.flatMap((f) => (f.fact === 'connection' ? [f.connection] : []));
    const gone = Math.max(0, ...facts.map((f) => (f.fact === 'deletion' && f.deletion.connections ? f.deletion.through : 0)));
    const rows = this.#joined(added).filter((c) => c.seq > gone);
    // What is beyond the pages that were asked for can be asked for again.
    if (rows.length > this.#limit) this.next = rows[this.#limit - 1]?.seq ?? null;
    this.rows = rows.slice(0, this.#limit);
    const ended = new Set(added.map(sameAs));
    this.open = this.open.filter((c) => !ended.has(sameAs(c)));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #joined(more: Connection[]): Connection[] {
    const bySeq = new Map<number, Connection>();
    for (const c of [...this.rows, ...more]) bySeq.set(c.seq, c);
    return [...bySeq.values()].sort((a, b) => b.seq - a.seq);
  }

  async #ask(before: number | undefined, limit: number, take: (page: ConnectionList) => void): Promise<void> {
    try {
      const page = await this.#api.json<ConnectionList>(path('endpoints', this.#endpoint, 'connections'), { query: { before, limit } });
      if (this.#stopped) return;
      take(page);
      const ended = new Set(this.rows.map(sameAs));
      this.open = page.open.filter((c) => !ended.has(sameAs(c)));
      this.shut = page.shut;
      this.notCounted = page.counted ? '' : page.not_counted;
      this.error = '';
    } catch (cause) {
      if (!this.#stopped) this.error = said(cause);
    }
  }
}

const sameAs = (c: Connection) => `${c.at} ${c.remote_addr}`;
