// One capture on screen, whole, kept up to date by facts.
import type { AgentRun, Capture, Delivery, Fact, Note, Payload, Replay, Run } from './api';
import { path } from './api';
import type { Feed } from './feed.svelte';
import { parseJson } from './json';
import { deletes } from './rows';
import { said } from './said';
import { api, session } from './session.svelte';

export class Detail {
  capture = $state.raw<Capture | null>(null);
  delivery = $state.raw<Delivery | null>(null);
  /** The tries to send it on, oldest first. */
  replays = $state.raw<Replay[]>([]);
  error = $state('');
  gone = $state(false);

  readonly seq: number;
  readonly endpoint: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void;
  #stopped = false;

  /** Where app paths of runs lead to. */
  readonly appBase: () => string;

  constructor(endpoint: string, seq: number, feed: Pick<Feed, 'find' | 'subscribe'>, appBase: () => string) {
    this.appBase = appBase;
    this.seq = seq;
    this.endpoint = endpoint;
    this.capture = feed.find(seq) ?? null;
    this.#stop = feed.subscribe((facts) => this.#hear(facts));
  }

  get route(): string {
    return path('endpoints', this.endpoint, 'captures', this.seq);
  }

  /** Takes a note as the server answered it; the fact that tells the others says the same. */
  noted(note: Note): void {
    if (this.capture) this.capture = { ...this.capture, note };
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
    clearTimeout(this.#timer);
  }

  async load(): Promise<void> {
    try {
      const reveal = session.reveal;
      const text = await (await api.response(this.route, { query: { reveal } })).text();
      const capture = exact(text);
      if (this.#stopped) return;
      this.capture = capture;
      this.error = '';
      await Promise.all([this.#loadDelivery(capture.delivery), this.#loadReplays()]);
    } catch (cause) {
      if (!this.#stopped) this.error = said(cause);
    }
  }

  async #loadDelivery(id: string): Promise<void> {
    if (!id) return;
    const delivery = await api.json<Delivery>(path('endpoints', this.endpoint, 'deliveries', id));
    if (!this.#stopped) this.delivery = delivery;
  }

  #replayed(one: Replay): void {
    if (one.capture === this.seq && !this.replays.some((r) => r.seq === one.seq)) this.replays = [...this.replays, one];
  }

  async #loadReplays(): Promise<void> {
    const { replays } = await api.json<{ replays: Replay[] }>(`${this.route}/replays`);
    if (!this.#stopped) this.replays = replays;
  }

  #hear(facts: Fact[]): void {
    const capture = this.capture;
    let again = false;
    for (const fact of facts) {
      if (fact.fact === 'deletion') this.gone ||= capture !== null && deletes(fact, capture);
      else if (fact.fact === 'arrival') again ||= fact.capture.delivery === capture?.delivery;
      else if (fact.fact === 'replay') this.#replayed(fact.replay);
      else if (fact.fact === 'note') {
        if (fact.of === this.seq && capture) this.capture = { ...capture, note: fact.note };
      } else if (fact.fact !== 'connection') again ||= fact.of === this.seq || this.delivery?.attempts.some((a) => a.seq === fact.of) === true;
    }
    if (!again) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load(), 120);
  }
}

/** The capture, with the sender's own JSON values digit for digit. */
export function exact(text: string): Capture {
  return withExact(JSON.parse(text) as Capture, parseJson(text)?.value);
}

/** The same, where the values were read already. */
export function withExact(capture: Capture, values: unknown): Capture {
  const kept = (values as { payload?: Payload } | undefined)?.payload;
  if (!kept) return capture;
  const runs = capture.payload.runs?.map((run, i) => own(run, kept.runs?.[i], ['inputs', 'outputs', 'feedback']));
  const payload: Payload = { ...capture.payload };
  if (runs) payload.runs = runs as Run[];
  if (payload.rule) payload.rule = own(payload.rule, kept.rule, ['feedback']);
  if (payload.run) payload.run = own(payload.run, kept.run, ['values', 'kwargs', 'metadata']) as AgentRun;
  return { ...capture, payload };
}

function own<T extends object>(typed: T, kept: T | undefined, names: (keyof T)[]): T {
  const out = { ...typed };
  if (kept) for (const name of names) out[name] = kept[name];
  return out;
}
