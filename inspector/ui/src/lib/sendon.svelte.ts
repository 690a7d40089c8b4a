// Sending captures on: one, or all that the list's filter names.
import type { Capture, Pair, Replay, ReplayResult } from './api';
import { path } from './api';
import { readSome } from './bytes.svelte';
import type { FeedFilter } from './feed.svelte';
import { said } from './said';
import { api } from './session.svelte';

const largestEdit = 1 << 20;
const kept = (endpoint: string) => `hookrange.target.${endpoint}`;

/** How a capture is changed before it goes out. */
export class Draft {
  method = $state('');
  /** One field a line. */
  headers = $state('');
  body = $state('');
  /** Why the body goes as it came, or empty. */
  fixed = $state('');
  ready = $state(false);
  error = $state('');
  #before = { method: '', headers: '', body: '' };

  /** Loads the capture with its secrets, because what is masked cannot be sent. */
  async load(endpoint: string, seq: number): Promise<void> {
    const route = path('endpoints', endpoint, 'captures', seq);
    try {
      const capture = await api.json<Capture>(route, { query: { reveal: true } });
      const read = await readSome(await api.response(`${route}/body`, { query: { reveal: true } }), largestEdit);
      this.method = capture.method;
      this.headers = capture.headers.map(([name, value]) => `${name}: ${value}`).join('\n');
      this.body = textOf(read.data) ?? '';
      this.fixed = !read.whole ? 'The body is too large to edit here; it goes as it came.' : textOf(read.data) === null ? 'The body is no text; it goes as it came.' : '';
      this.#before = { method: this.method, headers: this.headers, body: this.body };
      this.ready = true;
    } catch (cause) {
      this.error = said(cause);
    }
  }

  /** What differs from the capture, as the server takes it. */
  get changes(): { method?: string; headers?: Pair[]; body?: string } {
    if (!this.ready) return {};
    return {
      ...(this.method.trim() !== this.#before.method ? { method: this.method.trim() } : {}),
      ...(this.headers !== this.#before.headers ? { headers: fieldsOf(this.headers) } : {}),
      ...(this.fixed === '' && this.body !== this.#before.body ? { body: this.body } : {}),
    };
  }
}

/** Text that loses nothing when it is sent back, or null. */
export function textOf(data: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    // A text area turns every kind of line end into "\n".
    return text.includes('\r') ? null : text;
  } catch {
    return null;
  }
}

/** Reads one field a line; a line without a colon is a name without a value. */
export function fieldsOf(text: string): Pair[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const at = line.indexOf(':');
      return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
}

/** What a dialog asks the server to send on. */
export class SendOn {
  url = $state('');
  policy = $state('none');
  sign = $state(false);
  secret = $state('');
  busy = $state(false);
  error = $state('');
  /** How one replay ended, or how many of several did. */
  result = $state.raw<ReplayResult | null>(null);
  sent = $state(0);
  delivered = $state(0);
  /** Why the newest of several was not delivered. */
  why = $state('');
  done = $state(false);
  #abort: AbortController | null = null;

  constructor(readonly endpoint: string) {
    this.url = sessionStorage.getItem(kept(endpoint)) ?? '';
  }

  get input() {
    return { url: this.url.trim(), policy: this.policy, sign: this.sign, ...(this.sign && this.secret ? { secret: this.secret } : {}) };
  }

  stop(): void {
    this.#abort?.abort();
  }

  async one(seq: number, changes: object): Promise<void> {
    await this.#run(async (signal) => {
      const route = path('endpoints', this.endpoint, 'captures', seq, 'replay');
      this.result = await api.json<ReplayResult>(route, { method: 'POST', json: { ...this.input, ...changes }, signal });
      this.error = this.result.problem;
    });
  }

  async all(filter: FeedFilter): Promise<void> {
    await this.#run(async (signal) => {
      const json = { ...this.input, q: filter.q, ...(filter.class ? { class: [filter.class] } : {}) };
      const response = await api.response(path('endpoints', this.endpoint, 'replay'), { method: 'POST', json, signal });
      for await (const line of linesOf(response)) {
        const result = JSON.parse(line) as ReplayResult;
        this.sent++;
        if (result.delivered) this.delivered++;
        else this.why = missed(result);
        if (result.problem) this.error = `Capture ${result.capture}: ${result.problem}`;
      }
    });
  }

  async #run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    sessionStorage.setItem(kept(this.endpoint), this.url);
    this.#abort = new AbortController();
    Object.assign(this, { busy: true, done: false, error: '', result: null, sent: 0, delivered: 0, why: '' });
    try {
      await work(this.#abort.signal);
      this.done = true;
    } catch (cause) {
      this.error = this.#abort.signal.aborted ? 'Stopped.' : said(cause);
    } finally {
      this.busy = false;
    }
  }
}

/** What a capture that was not delivered met last. */
export function missed(result: Pick<ReplayResult, 'capture' | 'replays'>): string {
  const last = result.replays[result.replays.length - 1];
  if (!last) return '';
  return `capture ${result.capture}: ${last.status > 0 ? `answered ${last.status}` : last.failure}`;
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  while (reader) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? '')).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((p) => p !== '');
    if (done) return;
  }
}

/** The tries of each replay together, the newest replay first. */
export function grouped(tries: readonly Replay[]): Replay[][] {
  const byId = new Map<string, Replay[]>();
  for (const one of tries) byId.set(one.id, [...(byId.get(one.id) ?? []), one]);
  return [...byId.values()].reverse();
}
