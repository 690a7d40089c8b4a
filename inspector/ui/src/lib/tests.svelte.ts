// Conformance runs: the list, one run, and what they share.
import type { components } from './schema.gen';
import { path } from './api';
import { said } from './said';
import { api, session } from './session.svelte';

type Schemas = components['schemas'];

export type Test = Schemas['Test'];
export type TestList = Schemas['Tests'];
export type TestInput = Schemas['TestInput'];
export type TestCase = Schemas['TestCase'];
export type TestCheck = Schemas['TestCheck'];
export type TestEndpoint = Schemas['TestEndpoint'];
export type TestConnection = Schemas['TestConnection'];
export type TestAttempt = Schemas['TestAttempt'];
export type Verdict = Exclude<Schemas['Verdict'], ''>;

/** The worst comes first. */
export const verdicts: Verdict[] = ['error', 'fail', 'inconclusive', 'warning', 'skip', 'info', 'pass'];

/** How long the server may hold an answer back while nothing changes, and the least time between two answers, in ms. */
const patience = '25s';
const breath = 150;
/** How long to wait after an answer that did not come, in ms. */
const after = 3000;

export const goesOn = (test: Pick<Test, 'state'>): boolean => test.state === 'running' || test.state === 'paused';

/** What a case shows: its verdict, or why it has none. */
export function standing(c: Pick<TestCase, 'state' | 'verdict'>): Verdict | 'running' | 'waiting' {
  if (c.state === 'ended') return c.verdict || 'inconclusive';
  return c.state;
}

/** Milliseconds between two times; until now while the second is not known. */
export function elapsed(started: string | null | undefined, ended: string | null | undefined, now: number): number {
  if (!started) return 0;
  return Math.max(0, (ended ? new Date(ended).getTime() : now) - new Date(started).getTime());
}

export const ms = (ns: number | null | undefined): number => (ns ?? 0) / 1e6;

export interface Change {
  id: string;
  title: string;
  /** Empty when the run does not have the case. */
  from: ReturnType<typeof standing> | '';
  to: ReturnType<typeof standing> | '';
}

/** The cases whose standing differs between two runs, in the order of the newer. */
export function changes(older: TestCase[], newer: TestCase[]): Change[] {
  const before = new Map(older.map((c) => [c.id, c]));
  const out: Change[] = [];
  for (const c of newer) {
    const old = before.get(c.id);
    before.delete(c.id);
    const change = { id: c.id, title: c.title, from: old ? standing(old) : ('' as const), to: standing(c) };
    if (change.from !== change.to) out.push(change);
  }
  for (const c of before.values()) out.push({ id: c.id, title: c.title, from: standing(c), to: '' });
  return out;
}

/** What a new run is given beside its script and its sender. */
export interface StartOptions {
  cases: string;
  jobs: number | null;
  scale: number | null;
  strict: boolean;
  /** Values of the profile's variables; empty is the profile's own. */
  set: Record<string, string>;
  /** NAME=VALUE, a line each, for a script whose variables are not known. */
  lines: string;
}

/** The input of a run without its script. vars are the variables of its profile; null when they are not known. */
export function inputOf(options: StartOptions, sender: string, vars: Record<string, string> | null): TestInput {
  const input: TestInput = { sender };
  if (options.cases.trim() !== '') input.cases = options.cases.trim();
  if (options.jobs) input.jobs = options.jobs;
  if (options.scale && sender.startsWith('builtin:')) input.scale = options.scale;
  if (options.strict) input.strict = true;
  const set = vars ? Object.entries(options.set).filter(([name, value]) => name in vars && value !== '') : pairs(options.lines);
  if (set.length > 0) input.set = Object.fromEntries(set);
  return input;
}

function pairs(lines: string): [string, string][] {
  return lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const at = line.indexOf('=');
      if (at < 1) throw new Error(`“${line}” sets no variable: write name=value.`);
      return [line.slice(0, at), line.slice(at + 1)];
    });
}

class Tests {
  list = $state.raw<Test[]>([]);
  profiles = $state.raw<TestList['profiles']>([]);
  senders = $state.raw<string[]>([]);
  loaded = $state(false);
  error = $state('');

  #revision: number | undefined;

  /** Loads the list; with waiting only once it has changed, or after a while. */
  async load(signal?: AbortSignal): Promise<void> {
    const query = signal && this.loaded && this.error === '' ? { since: this.#revision, timeout: patience } : {};
    try {
      const answer = await api.json<TestList>('/tests', signal ? { query, signal } : {});
      // Of two answers the later may be the older.
      if (this.#revision !== undefined && this.error === '' && answer.revision < this.#revision) return;
      this.#revision = answer.revision;
      this.list = answer.tests;
      this.profiles = answer.profiles;
      this.senders = answer.senders;
      this.loaded = true;
      this.error = '';
    } catch (cause) {
      if (!signal?.aborted) this.error = said(cause);
    }
  }

  /** Keeps the list fresh until the returned function is called, but not for a page that nobody sees. */
  watch(): () => void {
    const end = new AbortController();
    const look = async (): Promise<void> => {
      while (!end.signal.aborted) {
        if (document.hidden) await happens('visibilitychange', end.signal);
        else {
          await this.load(end.signal);
          await pause(this.error === '' ? breath : after, end.signal);
        }
      }
    };
    void look();
    return () => end.abort();
  }

  async start(input: TestInput): Promise<Test> {
    const made = await api.json<Test>('/tests', { method: 'POST', json: input });
    void this.load();
    return made;
  }

  /** Cancels a run that goes on, or deletes one that does not. */
  async drop(id: string): Promise<void> {
    await api.none(path('tests', id), { method: 'DELETE' });
    await this.load();
  }

  async pause(id: string, paused: boolean): Promise<void> {
    await api.none(path('tests', id), { method: 'PATCH', json: { paused } });
    await this.load();
  }
}

export const tests = new Tests();

/** One run with its cases: loaded when the list says that it has changed. */
export class RunView {
  readonly id: string;
  test = $state.raw<Test | null>(null);
  missing = $state(false);
  error = $state('');
  #loading = false;

  constructor(id: string) {
    this.id = id;
  }

  async load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      this.test = await api.json<Test>(path('tests', this.id), { query: { reveal: session.reveal } });
      this.error = '';
    } catch (cause) {
      this.missing = (cause as { status?: number }).status === 404;
      this.error = said(cause);
    } finally {
      this.#loading = false;
    }
  }

  /** The hook URL of a manual run with its secret. */
  exactUrl = async (): Promise<string> => {
    const exact = await api.json<Test>(path('tests', this.id), { query: { reveal: true } });
    return exact.manual?.url ?? '';
  };
}

/** Waits for an event of the document, or the end. */
function happens(event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    document.addEventListener(event, () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
