// Conformance runs: the list, one run, and what they share.
import type { components } from './schema.gen';
import { path } from './api';
import { api, session } from './session.svelte';

type Schemas = components['schemas'];

export type Test = Schemas['Test'];
export type TestList = Schemas['Tests'];
export type TestInput = Schemas['TestInput'];
export type TestCase = Schemas['TestCase'];
export type TestCheck = Schemas['TestCheck'];
export type TestEndpoint = Schemas['TestEndpoint'];
export type TestAttempt = Schemas['TestAttempt'];
export type Verdict = Exclude<Schemas['Verdict'], ''>;

/** The worst comes first. */
export const verdicts: Verdict[] = ['error', 'fail', 'inconclusive', 'warning', 'skip', 'info', 'pass'];

/** How often a run that goes on is looked at, and one that does not. */
const often = 700;
const seldom = 5000;

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

class Tests {
  list = $state.raw<Test[]>([]);
  profiles = $state.raw<TestList['profiles']>([]);
  senders = $state.raw<string[]>([]);
  loaded = $state(false);
  error = $state('');

  async load(): Promise<void> {
    try {
      const answer = await api.json<TestList>('/tests');
      this.list = answer.tests;
      this.profiles = answer.profiles;
      this.senders = answer.senders;
      this.loaded = true;
      this.error = '';
    } catch (cause) {
      this.error = said(cause);
    }
  }

  /** Keeps the list fresh until the returned function is called. */
  watch(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const look = async (): Promise<void> => {
      if (!document.hidden) await this.load();
      if (!stopped) timer = setTimeout(() => void look(), this.list.some(goesOn) ? often : seldom);
    };
    void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
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

export function said(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
