// Stored inputs and outputs: what became of each, and what somebody can do about it.
import type { Resolved } from './api';
import { bytes, plural, type Tone } from './format';

type Facts = Pick<Resolved, 'state' | 'code' | 'message' | 'size' | 'url' | 'tries' | 'http_status'>;

export interface Said {
  tone: Tone;
  /** The state, in a word or two. */
  word: string;
  /** Why, as the store or the server has it. */
  why: string;
  /** What to do about it; empty where nothing can be done. */
  todo: string;
  /** Whether the settings of the endpoint are where it is done. */
  settings: boolean;
}

const tones: Record<Resolved['state'], Tone> = {
  pending: 'idle', resolved: 'ok', expired: 'warn', denied: 'bad', missing: 'bad', blocked: 'warn', too_large: 'warn', failed: 'bad',
};

export function said(o: Facts): Said {
  const why = [o.code, o.message].filter(Boolean).join(': ');
  const todo = advice(o);
  return {
    tone: tones[o.state],
    word: o.state === 'resolved' ? `resolved · ${bytes(o.size)}` : o.state === 'pending' && o.tries > 0 ? 'trying again' : o.state.replaceAll('_', ' '),
    why: o.state === 'resolved' ? '' : why,
    todo,
    settings: todo !== '' && (o.state === 'blocked' || o.state === 'too_large'),
  };
}

function advice(o: Facts): string {
  switch (o.state) {
    case 'blocked':
      return unblock(o);
    case 'too_large':
      return 'Raise the largest object (fetch.max_bytes), then have it sent again.';
    case 'expired':
      return 'Presigned URLs end. Have the webhook sent again: it brings new ones.';
    case 'denied':
      return 'Presigned URLs are refused when they were changed, have ended, or were signed with a key that is no longer valid.';
    default:
      return '';
  }
}

function unblock(o: Facts): string {
  const { host, port, secure } = place(o.url);
  const again = ', then have it sent again.';
  switch (o.code) {
    case 'fetch_off':
      return `Turn fetching on (fetch.off)${again}`;
    case 'base_url_missing':
      return `Give the base of relative URLs (fetch.base_url)${again}`;
    case 'host_not_allowed':
      return host ? `If you trust it, add ${host} to the accepted hosts (fetch.hosts)${again}` : '';
    case 'address_literal':
    case 'address_not_allowed':
    case 'port_not_allowed':
    case 'scheme_not_allowed':
      return host ? `If it is your own store${secure ? '' : ', which may do without https'}, add ${host}:${port} to the private stores (fetch.private)${again}` : '';
    default:
      return '';
  }
}

function place(url: string): { host: string; port: string; secure: boolean } {
  try {
    const u = new URL(url);
    const secure = u.protocol === 'https:';
    if (!secure && u.protocol !== 'http:') return { host: '', port: '', secure };
    return { host: u.hostname, port: u.port || (secure ? '443' : '80'), secure };
  } catch {
    return { host: '', port: '', secure: true };
  }
}

/** Objects in a few words: "2 resolved, 1 denied"; brief leaves out how many there are where all have one state. */
export function summary(objects: readonly Pick<Resolved, 'state'>[], brief = false): string {
  const counts = new Map<string, number>();
  for (const o of objects) counts.set(o.state, (counts.get(o.state) ?? 0) + 1);
  if (counts.size === 1 && !brief) {
    const [state] = [...counts.keys()];
    return `${plural(objects.length, 'object')}, ${objects.length > 1 ? 'all ' : ''}${(state ?? '').replaceAll('_', ' ')}`;
  }
  return [...counts].map(([state, n]) => `${n} ${state.replaceAll('_', ' ')}`).join(', ');
}
