// One endpoint on screen: its settings, its captures and its live connection.
import type { Class, Endpoint } from './api';
import { ApiError, path } from './api';
import { Attention } from './attention.svelte';
import { Connections } from './connections.svelte';
import { Feed } from './feed.svelte';
import { SavedFilters } from './filters.svelte';
import { Live } from './live.svelte';
import { ReadState } from './read.svelte';
import { pathOf, router } from './router.svelte';
import { said } from './said';
import { maskUrl } from './senders';
import { api, session } from './session.svelte';

/** How long to wait for the live feed before loading without it. */
const patience = 400;

/** How old the settings on screen may be while captures arrive. */
const refreshEvery = 2000;

/** A time as it stands in a URL; what is none is left out. */
const timeOf = (text: string | null): string => (text && !Number.isNaN(Date.parse(text)) ? text : '');

const classOf = (text: string | null): Class | '' =>
  text === 'accepted' || text === 'rejected' || text === 'incomplete' ? text : '';

export class Workspace {
  readonly name: string;
  readonly feed: Feed;
  readonly connections: Connections;
  readonly live: Live;
  readonly read: ReadState;
  readonly attention: Attention;
  readonly saved: SavedFilters;
  settings = $state.raw<Endpoint | null>(null);
  missing = $state(false);
  error = $state('');
  /** Captures kept, by class; kept up to date while somebody looks at them. */
  counts = $state.raw<Endpoint['counts'] | null>(null);
  /** How the forwards do, kept up to date likewise. */
  forwards = $state.raw<Endpoint['forwards']>([]);

  #shown = $state('');
  /** The hook URL as it may be shown: masked unless secrets are revealed. */
  url = $derived(session.reveal && this.#shown ? this.#shown : maskUrl(this.settings?.url ?? '', [this.settings?.secret]));

  #patience: ReturnType<typeof setTimeout> | undefined;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #onLook = () => document.visibilityState === 'visible' && void this.refresh();

  constructor(name: string) {
    this.name = name;
    this.feed = new Feed(api, name);
    this.connections = new Connections(api, name);
    this.read = new ReadState(name);
    this.saved = new SavedFilters(name);
    this.attention = new Attention(name, (seq) => router.go(pathOf(name, seq)));
    this.live = new Live({
      endpoint: name,
      token: () => session.token,
      onFact: (fact) => {
        if (fact.fact === 'deletion' && fact.deletion.endpoint) this.missing = true;
        this.feed.push(fact);
        this.connections.push(fact);
        if (fact.fact === 'replay' && fact.replay.by === 'endpoint') this.#refreshSoon();
        if (fact.fact !== 'arrival') return;
        this.#refreshSoon();
        this.attention.arrived(fact.capture);
      },
      onStart: () => this.#load(),
      onResync: () => {
        void this.feed.load();
        void this.connections.load();
      },
      onRefused: () => session.refuse(),
    });
  }

  /** The capture of the list that the keyboard is on. */
  get cursor(): number | null {
    return this.feed.cursor;
  }

  set cursor(seq: number | null) {
    this.feed.cursor = seq;
  }

  start(): void {
    const search = new URLSearchParams(location.search);
    this.feed.filter = { class: classOf(search.get('class')), q: search.get('q') ?? '' };
    this.feed.until = timeOf(search.get('at'));
    this.read.start();
    this.attention.start();
    addEventListener('focus', this.#onLook);
    document.addEventListener('visibilitychange', this.#onLook);
    this.live.start();
    this.#patience = setTimeout(() => this.#load(), patience);
    void this.reload();
  }

  stop(): void {
    clearTimeout(this.#patience);
    clearTimeout(this.#refreshing);
    removeEventListener('focus', this.#onLook);
    document.removeEventListener('visibilitychange', this.#onLook);
    this.live.stop();
    this.feed.stop();
    this.connections.stop();
    this.read.stop();
    this.attention.stop();
  }

  /** The newest seq that is known. */
  newest(): number {
    return Math.max(this.live.cursor ?? 0, this.feed.rows[this.feed.rows.length - 1]?.seq ?? 0);
  }

  /** Marks everything that has come as read. */
  readAll(): void {
    this.read.all(this.newest());
  }

  async reload(): Promise<void> {
    try {
      this.take(await api.json<Endpoint>(path('endpoints', this.name)));
      this.error = '';
    } catch (cause) {
      this.missing = cause instanceof ApiError && cause.status === 404;
      this.error = said(cause);
    }
  }

  /** Takes settings as the server answered them. */
  take(settings: Endpoint): void {
    this.settings = settings;
    this.counts = settings.counts;
    this.forwards = settings.forwards;
    this.#shown = '';
  }

  /** Sends changed settings; throws what the server refuses. */
  async change(changes: Partial<Endpoint>): Promise<void> {
    this.take(await api.json<Endpoint>(path('endpoints', this.name), { method: 'PATCH', json: changes }));
  }

  /** Asks again what is kept, and takes the settings where somebody else has changed them. */
  async refresh(): Promise<void> {
    try {
      const now = await api.json<Endpoint>(path('endpoints', this.name));
      // An answer that was on its way while they were changed here is older than what is known.
      if (this.settings && Date.parse(now.updated_at) > Date.parse(this.settings.updated_at)) this.take(now);
      this.counts = now.counts;
      this.forwards = now.forwards;
    } catch {
      // The connection's own state says so already.
    }
  }

  /**
   * The settings with their secrets shown, asked for each time that somebody wants to see or copy them: no fact tells of
   * a secret that was changed elsewhere.
   */
  exact(): Promise<Endpoint> {
    return api.json<Endpoint>(path('endpoints', this.name), { query: { reveal: true } });
  }

  exactUrl = async (): Promise<string> => (await this.exact()).url;

  /** Fetches what url shows while secrets are revealed. */
  async showSecrets(): Promise<void> {
    try {
      this.#shown = await this.exactUrl();
    } catch {
      this.#shown = '';
    }
  }

  /** Somebody else may have changed the plan that is shown: no fact tells of it, so it is asked for, while traffic flows. */
  #refreshSoon(): void {
    this.#refreshing ??= setTimeout(() => {
      this.#refreshing = undefined;
      void this.refresh();
    }, refreshEvery);
  }

  #load(): void {
    clearTimeout(this.#patience);
    // The first load may have begun before the live feed was ready; joining a second page closes the gap.
    const load = this.feed.loaded || this.feed.loading ? this.feed.catchUp() : this.feed.load(this.feed.until);
    void load.then(() => {
      if (this.feed.loaded) this.read.begin(this.newest());
    });
    void this.connections.load();
  }
}
