// What a connection's row says.
import type { Connection } from './api';
import { duration, plural, type Answer } from './format';

/** What became of a connection, in a few words. */
export function story(c: Connection): Answer {
  if (c.reached === 'refused') return { text: 'refused', tone: 'warn' };
  if (c.reached === 'dropped') return { text: 'left unanswered', tone: 'warn' };
  if (c.requests > 0 && c.fault === 'tls-badcert') {
    return { text: `${plural(c.requests, 'request')} in spite of a bad certificate`, tone: 'bad' };
  }
  if (c.requests > 0) return { text: plural(c.requests, 'request'), tone: 'ok' };
  if (c.fault) return { text: c.fault, tone: 'warn' };
  if (c.handshake?.error) return { text: 'TLS handshake broke off', tone: 'bad' };
  if (c.ended_ms === null) return { text: 'open, no request yet', tone: 'idle' };
  return { text: 'no request', tone: 'warn' };
}

/** How it ended: "reset by the sender after 12 ms". */
export function end(c: Connection): string {
  if (c.reached !== 'accepted') return '';
  if (c.ended_ms === null) return 'open';
  return `${c.ended_with === 'rst' ? 'reset' : 'closed'} by the ${c.ended_by} after ${duration(c.ended_ms)}`;
}

/** Its TLS in a few words, or ''. */
export function secured(c: Connection): string {
  const h = c.handshake;
  if (h === null) return '';
  if (h.error) return h.error;
  return [h.version, h.alpn, h.server_name].filter(Boolean).join(', ');
}

/** All that is known of it, a line each. */
export function facts(c: Connection): [name: string, value: string][] {
  const h = c.handshake;
  const tls: [string, string][] = h
    ? [
        ['TLS', h.error ? `broke off after ${duration(h.done_ms)}: ${h.error}` : `${h.version}, complete after ${duration(h.done_ms)}`],
        ['name (SNI)', h.server_name || 'none'],
        ['protocol (ALPN)', h.alpn || 'none'],
      ]
    : c.reached === 'accepted'
      ? [['TLS', 'none']]
      : [];
  const said = { accepted: 'accepted', refused: 'refused: answered by a reset', dropped: 'dropped: not answered' }[c.reached];
  return [
    ['try', said],
    ['from', c.remote_addr],
    ...(c.step ? [['planned', c.step] as [string, string]] : []),
    ...tls,
    ...(c.reached === 'accepted' ? ([['requests', String(c.requests)], ['end', end(c)]] as [string, string][]) : []),
    ...(c.seq > 0 ? [['seq', String(c.seq)] as [string, string]] : []),
  ];
}
