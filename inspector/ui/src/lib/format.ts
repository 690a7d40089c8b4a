// Numbers, times and words as the page shows them.
import type { Capture, Outcome, Plan } from './api';
import { prefs } from './prefs.svelte';

/** 0.8 ms, 12 ms, 1.20 s, 2 m 05 s */
export function duration(ms: number): string {
  const sign = ms < 0 ? '−' : '';
  const v = Math.abs(ms);
  if (v < 9.95) return sign + trim(v.toFixed(1)) + ' ms';
  if (v < 999.5) return sign + Math.round(v) + ' ms';
  if (v < 59_995) return sign + (v / 1000).toFixed(2) + ' s';
  const s = Math.round(v / 1000);
  if (s < 3600) return `${sign}${Math.floor(s / 60)} m ${pad(s % 60)} s`;
  if (s < 172_800) return `${sign}${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} m`;
  return `${sign}${Math.floor(s / 86_400)} d ${pad(Math.floor(s / 3600) % 24)} h`;
}

/** The time between attempts: +4.1 s */
export function gap(ms: number): string {
  const s = Math.abs(ms);
  const text = s < 1000 ? Math.round(s) + ' ms' : s < 60_000 ? (s / 1000).toFixed(1) + ' s' : duration(s);
  return (ms < 0 ? '−' : '+') + text;
}

/** 512 B, 12.4 kB, 3.1 MB */
export function bytes(n: number): string {
  if (n < 1000) return n + ' B';
  if (n < 1_000_000) return (n / 1000).toFixed(n < 99_950 ? 1 : 0) + ' kB';
  if (n < 1e9) return (n / 1e6).toFixed(1) + ' MB';
  return (n / 1e9).toFixed(1) + ' GB';
}

export function count(n: number): string {
  return n.toLocaleString('en-US').replaceAll(',', ' ');
}

export function plural(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const pad = (n: number, width = 2) => String(n).padStart(width, '0');
const trim = (s: string) => s.replace(/\.0$/, '');

/** A time of day with milliseconds, in the zone that is preferred; UTC ends in Z. */
export function clock(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return iso;
  return utc() ? d.toISOString().slice(11) : localClock(d);
}

/** When something came: the time of day; of another day its date and the minute, of another year the date. */
export function moment(iso: string, now: number): string {
  const at = dateTime(iso);
  const day = date(new Date(now).toISOString());
  if (at === iso || at.startsWith(day)) return clock(iso);
  return at.startsWith(day.slice(0, 4)) ? at.slice(5, 16) : at.slice(0, 10);
}

/** Date and time with milliseconds, in the zone that is preferred. */
export function dateTime(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return iso;
  return utc() ? d.toISOString().replace('T', ' ') : local(d);
}

/** One moment in both zones and from now, for who points at it. */
export function everyTime(iso: string, now: number): string {
  const d = new Date(iso);
  return Number.isNaN(d.getTime()) ? iso : `${relative(iso, now)}\n${local(d)} here\n${d.toISOString().replace('T', ' ')} UTC`;
}

const localClock = (d: Date) => `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${pad(d.getMilliseconds(), 3)}`;
const local = (d: Date) => `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${localClock(d)}`;
const utc = () => prefs.now.zone === 'utc';

/** The date, in the zone that is preferred. */
export function date(iso: string): string {
  return dateTime(iso).slice(0, 10);
}

/** A span of time; the date stands once where it is the same. */
export function between(start: string, end: string): string {
  const ms = new Date(end).getTime() - new Date(start).getTime();
  if (Number.isNaN(ms)) return `${start} – ${end}`;
  return `${dateTime(start)} – ${date(start) === date(end) ? clock(end) : dateTime(end)} (${duration(ms)})`;
}

/** "just now", "3 min ago", "in 58 min" */
export function relative(iso: string, now: number): string {
  const s = Math.round((new Date(iso).getTime() - now) / 1000);
  if (Number.isNaN(s)) return '';
  const v = Math.abs(s);
  if (v < 2) return 'just now';
  let text: string;
  if (v < 60) text = `${v} s`;
  else if (v < 3600) text = `${Math.floor(v / 60)} min`;
  else if (v < 172_800) text = `${Math.floor(v / 3600)} h`;
  else text = `${Math.floor(v / 86_400)} d`;
  return s > 0 ? `in ${text}` : `${text} ago`;
}

/** Like relative, of what has happened: a time to come can only be by another clock. */
export const ago = (iso: string, now: number): string => relative(iso, now).replace(/^in (.*)/, '$1 ahead');

/** Like relative, but to the second in the last ten minutes: "in 9:59" */
export function countdown(iso: string, now: number): string {
  const s = Math.ceil((new Date(iso).getTime() - now) / 1000);
  return s > 0 && s < 600 ? `in ${Math.floor(s / 60)}:${pad(s % 60)}` : relative(iso, now);
}

const reasons: Record<string, string> = {
  secret_missing: 'secret missing',
  secret_wrong: 'wrong secret',
  secret_repeated: 'secret sent more than once',
  secret_malformed: 'secret malformed',
  signature_missing: 'signature missing',
  signature_wrong: 'wrong signature',
  signature_malformed: 'signature malformed',
  signature_expired: 'signature too old',
  header_missing: 'expected header missing',
  header_wrong: 'expected header has another value',
  body_too_large: 'body too large',
  body_cut: 'body cut off',
  body_slow: 'body came too slowly',
  body_malformed: 'body malformed',
  head_too_large: 'head too large',
  ambiguous_framing: 'ambiguous framing',
  preflight: 'CORS preflight',
};

export function reason(code: string): string {
  return reasons[code] ?? code.replaceAll('_', ' ');
}

const kinds: Record<string, string> = { json: 'JSON', text: 'text', form: 'form', multipart: 'multipart', binary: 'binary' };

/** What a capture is about, in one line. Of a body that did not come whole it says so, and how much there is. */
export function title(c: Pick<Capture, 'payload' | 'reason' | 'method' | 'path' | 'body_size' | 'content_length'>): string {
  const short = { body_too_large: 'Too large', body_cut: 'Cut off', body_slow: 'Too slow' }[c.reason];
  if (c.reason === 'head_too_large' && c.payload.kind === 'empty') return 'Head too large';
  if (!short) return c.payload.title || `${c.method} ${c.path}`;
  const kind = kinds[c.payload.kind] ?? '';
  const sent = c.content_length === null ? '' : bytes(c.content_length);
  const whole = sent !== '' && sent !== bytes(c.body_size) ? ` of ${sent}` : '';
  return `${short} · ${kind ? kind + ', ' : ''}${c.body_size > 0 ? `the first ${bytes(c.body_size)}${whole}` : 'no body'} kept`;
}

export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

export interface Answer {
  text: string;
  tone: Tone;
}

/** What became of the answer, in a few words. */
export function answer(capture: Pick<Capture, 'outcome' | 'plan'>): Answer {
  const o = capture.outcome;
  if (o === null) return { text: waiting(capture.plan), tone: 'idle' };
  if (o.sender_hung_up_ms !== null) {
    const said = o.status > 0 ? `answered ${o.status}, hung up` : 'sender hung up';
    return { text: `${said} ${duration(o.sender_hung_up_ms)}`, tone: 'warn' };
  }
  if (o.fault) return { text: `${o.fault}${o.status > 0 ? ' ' + o.status : ''}${ended(o)}`, tone: 'warn' };
  if (o.status === 0) return { text: `no answer${ended(o)}`, tone: 'warn' };
  const tone: Tone = o.status < 300 ? 'ok' : o.status < 400 ? 'idle' : 'bad';
  return { text: `answered ${o.status}${ended(o)}`, tone };
}

function ended(o: Outcome): string {
  const at = o.done_ms ?? o.first_byte_ms;
  return at === null ? '' : ` · ${duration(at)}`;
}

function waiting(plan: Plan): string {
  if (plan.fault) return `${plan.fault} …`;
  if (plan.after_ms > 0) return `waiting, ${plan.status} after ${duration(plan.after_ms)} …`;
  return 'answering …';
}
