// Two captures side by side: what they are made of, line by line and value by value.
import type { Capture } from './api';
import { path } from './api';
import { readSome } from './bytes.svelte';
import { exact } from './capture.svelte';
import { diffJson, diffLines, type LineDiff, type Structural } from './diff';
import { answer, bytes, dateTime, reason } from './format';
import { parseJson } from './json';
import { said } from './said';
import { api, session } from './session.svelte';

/** More of a body is not compared. */
const most = 2_000_000;

export interface Facts {
  name: string;
  before: string;
  after: string;
  same: boolean;
}

export type BodyDiff =
  | { kind: 'same' }
  | { kind: 'binary' }
  | { kind: 'large' }
  | { kind: 'json'; diff: Structural }
  | { kind: 'text'; lines: LineDiff[] };

/** What both captures have one of. */
export function factsOf(before: Capture, after: Capture): Facts[] {
  const of = (name: string, value: (c: Capture) => string): Facts => ({ name, before: value(before), after: value(after), same: value(before) === value(after) });
  return [
    of('Received', (c) => dateTime(c.received_at)),
    of('Request', (c) => `${c.method} ${c.target} ${c.proto}`),
    of('From', (c) => c.remote_addr),
    of('Class', (c) => c.class + (c.reason ? ', ' + reason(c.reason) : '')),
    of('Delivery', (c) => `${c.delivery}, attempt ${c.attempt}`),
    of('Answer', (c) => answer(c).text),
    of('Body', (c) => bytes(c.body_size)),
    of('SHA-256', (c) => c.body_sha256),
  ];
}

/** Header lines in wire order. */
export function headerLines(before: Capture, after: Capture): LineDiff[] {
  const lines = (c: Capture) => c.headers.map(([name, value]) => `${name}: ${value}`);
  return diffLines(lines(before), lines(after));
}

/** Bodies by their structure where both are JSON, by their lines where both are text. */
export function bodyDiff(before: Uint8Array, after: Uint8Array): BodyDiff {
  if (before.length === after.length && before.every((b, i) => b === after[i])) return { kind: 'same' };
  const texts = [before, after].map(textOf);
  const [a, b] = texts;
  if (a === undefined || b === undefined) return { kind: 'binary' };
  const left = parseJson(a);
  const right = parseJson(b);
  if (left && right) return { kind: 'json', diff: diffJson(left.value, right.value) };
  return { kind: 'text', lines: diffLines(a.split(/\r?\n/), b.split(/\r?\n/)) };
}

function textOf(data: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

export class Comparison {
  before = $state.raw<Capture | null>(null);
  body = $state.raw<BodyDiff | null>(null);
  error = $state('');

  /** Loads the earlier capture and both bodies. */
  async load(endpoint: string, before: number, after: number): Promise<void> {
    try {
      const query = { reveal: session.reveal };
      const route = (seq: number) => path('endpoints', endpoint, 'captures', seq);
      this.before = exact(await (await api.response(route(before), { query })).text());
      const read = async (seq: number) => readSome(await api.response(route(seq) + '/body', { query: { ...query, decoded: true } }), most);
      const [a, b] = await Promise.all([read(before), read(after)]);
      this.body = a.whole && b.whole ? bodyDiff(a.data, b.data) : { kind: 'large' };
      this.error = '';
    } catch (cause) {
      this.error = said(cause);
    }
  }
}
