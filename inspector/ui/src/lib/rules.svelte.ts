// Rules while they are edited, and the words for what they are made of.
import type { AnswerRule, Matcher } from './api';

export interface Row extends AnswerRule {
  /** Tells rows apart while they move; not sent. */
  id: number;
}

/** What a matcher may look at. */
export const parts: { part: string; says: string; name?: string; value?: string }[] = [
  { part: 'method', says: 'Method', value: 'POST' },
  { part: 'path', says: 'Path', value: '/orders' },
  { part: 'header', says: 'Header', name: 'X-Event' },
  { part: 'query', says: 'Query', name: 'event' },
  { part: 'json', says: 'JSON', name: 'runs.0.status' },
  { part: 'body', says: 'Body text' },
  { part: 'attempt', says: 'Attempt', value: '2' },
  { part: 'when', says: 'Expression', value: 'method == "POST" and has("id")' },
];

const ops: Record<string, string> = {
  equals: 'is',
  differs: 'is not',
  contains: 'contains',
  starts: 'starts with',
  ends: 'ends with',
  matches: 'matches (RE2)',
  exists: 'is there',
  absent: 'is not there',
  '<': '<',
  '<=': '≤',
  '>': '>',
  '>=': '≥',
};

const numeric = ['equals', 'differs', '<', '<=', '>', '>='];

export function opsOf(part: string): { op: string; says: string }[] {
  const known = part === 'attempt' ? numeric : Object.keys(ops);
  return known.map((op) => ({ op, says: ops[op] ?? op }));
}

export const takesName = (part: string) => parts.some((p) => p.part === part && p.name !== undefined);
export const takesValue = (m: Matcher) => m.op !== 'exists' && m.op !== 'absent';
export const partOf = (part: string) => parts.find((p) => p.part === part);

/** A matcher in words, such as "Header X-Event is paid". */
export function says(m: Matcher): string {
  if (m.part === 'when') return m.value;
  const what = [partOf(m.part)?.says ?? m.part, m.name].filter(Boolean).join(' ');
  return [what, ops[m.op] ?? m.op, takesValue(m) ? m.value : ''].filter(Boolean).join(' ');
}

/** A matcher for another part keeps what still fits it. */
export function withPart(m: Matcher, part: string): Matcher {
  const op = part === 'when' ? '' : opsOf(part).some((o) => o.op === m.op) ? m.op : 'equals';
  return { part, name: takesName(part) ? m.name : '', op, value: m.value };
}

/** Where in the rules an error of the server is. */
export interface Place {
  rule: number;
  matcher: number;
  field: string;
  text: string;
}

export function placeOf(message: string): Place | null {
  const found = /rules\.(\d+)(?:\.match\.(\d+))?(?:\.(\w+))?: ([^]*)$/.exec(message);
  if (!found) return null;
  return { rule: Number(found[1]), matcher: found[2] === undefined ? -1 : Number(found[2]), field: found[3] ?? '', text: found[4] ?? '' };
}

export const rowsOf = (rules: readonly AnswerRule[]): Row[] => rules.map((r, id) => ({ ...copy(r), id }));

/** Rules as the server takes them. */
export const plain = (rows: readonly Row[]): AnswerRule[] => rows.map(copy);

function copy(r: AnswerRule): AnswerRule {
  return { name: r.name, off: r.off, match: r.match.map((m) => ({ part: m.part, name: m.name, op: m.op, value: m.value })), respond: r.respond };
}

/** A name that no rule has. */
export function free(name: string, rows: readonly AnswerRule[]): string {
  const taken = new Set(rows.map((r) => r.name));
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name} ${n}`)) return `${name} ${n}`;
}

/** The rows with others before or after them, under free names. */
export function joined(rows: readonly Row[], more: readonly AnswerRule[], first = false): Row[] {
  let id = Math.max(-1, ...rows.map((r) => r.id));
  const all: AnswerRule[] = [...rows];
  const added = more.map((r) => {
    const row = { ...copy(r), name: free(r.name, all), id: ++id };
    all.push(row);
    return row;
  });
  return first ? [...added, ...rows] : [...rows, ...added];
}

/** The rows with one of them at another place. */
export function moved(rows: readonly Row[], from: number, to: number): Row[] {
  const out = [...rows];
  const [row] = out.splice(from, 1);
  if (row) out.splice(to, 0, row);
  return out;
}
