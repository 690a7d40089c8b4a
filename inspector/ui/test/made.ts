// Captures and facts for tests.
import type { Api, Capture, CaptureList, Fact, Outcome } from '../src/lib/api';

export const outcome = (seq: number, status = 200): Outcome => ({
  seq, status, fault: '', bytes: 100, first_byte_ms: 0.5, done_ms: 0.8, sender_hung_up_ms: null, sender_hung_up_by: '', note: '',
});

export function capture(seq: number, over: Partial<Capture> = {}): Capture {
  return {
    seq, id: `id-${seq}`, endpoint: 'a', received_at: '2026-11-22T12:00:00.000Z', class: 'accepted', reason: '', remote_addr: '127.0.0.1:1', proto: 'HTTP/1.1', tls: null,
    method: 'POST', target: '/hooks/a?secret=•••', path: '/hooks/a', query: 'secret=•••', headers: [], body_size: 2, body_sha256: '', content_type: 'application/json', content_length: 2,
    truncated: false, delivery: `d-${seq}`, delivery_by: 'body', attempt: 1, gap_ms: null,
    plan: { text: '200', rule: '', step: 0, status: 200, fault: '', after_ms: 0, for_ms: 0, rate: 0, headers: [], body: '', seed: '0', close: false },
    outcome: null, payload: { kind: 'json', variant: '', title: `capture ${seq}`, snippet: '{}', problems: [] }, resolved: [], note: null, ...over,
  };
}

export const arrival = (seq: number, over: Partial<Capture> = {}): Fact => ({ type: 'fact', seq, endpoint: 'a', fact: 'arrival', capture: capture(seq, over) });
export const ended = (seq: number, of: number, status = 200): Fact => ({ type: 'fact', seq, endpoint: 'a', fact: 'outcome', of, outcome: outcome(seq, status) });
type Deletion = (Fact & { fact: 'deletion' })['deletion'];
export const deletion = (seq: number, d: Partial<Deletion>): Fact => ({
  type: 'fact', seq, endpoint: 'a', fact: 'deletion', deletion: { captures: [], class: '', through: 0, endpoint: false, connections: false, ...d },
});

export interface Asked {
  query: Record<string, unknown>;
  answer(list: Omit<CaptureList, 'complete'>): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A server whose answers the test gives one by one. */
export function server(): { api: Api; asked: Asked[] } {
  const asked: Asked[] = [];
  const json = (_route: string, call: { query?: Record<string, unknown>; signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      call.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      const settled = () => new Promise<void>((done) => setTimeout(done, 0));
      asked.push({
        query: call.query ?? {},
        answer: (list) => (resolve({ ...list, complete: true }), settled()),
        fail: (error) => (reject(error), settled()),
      });
    });
  return { api: { json, none: json, response: json } as unknown as Api, asked };
}
