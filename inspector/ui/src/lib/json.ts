// JSON as it was sent: a number keeps its digits even where a JavaScript number would lose them.

export class BigLiteral {
  constructor(readonly source: string) {}
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

const keepDigits: Reviver = (_key, value, context) => {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return String(value) === context.source ? value : new BigLiteral(context.source);
};

/** Parses JSON, or returns undefined when the text is none. */
export function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) };
  } catch {
    return undefined;
  }
}

export type Kind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof BigLiteral) return 'number';
  const type = typeof value;
  return type === 'object' || type === 'string' || type === 'number' || type === 'boolean' ? type : 'null';
}

export function entriesOf(value: unknown): [key: string | number, value: unknown][] {
  if (Array.isArray(value)) return value.map((v, i) => [i, v]);
  if (kindOf(value) === 'object') return Object.entries(value as object);
  return [];
}

/**
 * Whether a value has the names of its text as they stand there: an object has each name once, and those that are
 * numbers first, while a sender may have written one twice, and them in any order.
 */
export function sameNames(text: string, value: unknown): boolean {
  const names = namesOf(value);
  for (let from = text.indexOf('"'), to = 0; from >= 0; from = text.indexOf('"', to)) {
    to = endOf(text, from);
    let after = to;
    while (' \t\r\n'.includes(text[after] ?? 'x')) after++;
    if (text[after] === ':' && names.next().value !== JSON.parse(text.slice(from, to))) return false;
  }
  return names.next().done === true;
}

/** Where the string that begins with a quotation mark ends. */
function endOf(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** The names of all members, in the order in which a tree shows them. */
function* namesOf(value: unknown): Generator<string> {
  const todo: { name: string | number; value: unknown }[] = [{ name: 0, value }];
  for (let next = todo.pop(); next; next = todo.pop()) {
    if (typeof next.name === 'string') yield next.name;
    for (const [name, child] of entriesOf(next.value).reverse()) todo.push({ name, value: child });
  }
}

export function stringify(value: unknown, indent = 2): string {
  const literals: string[] = [];
  // Unlikely in any text; unescaped again below, quotes included.
  const mark = '\u0001literal:';
  const text = JSON.stringify(
    value,
    (_k, v: unknown) => {
      if (!(v instanceof BigLiteral)) return v;
      literals.push(v.source);
      return mark + (literals.length - 1);
    },
    indent,
  );
  if (text === undefined) return 'null';
  if (literals.length === 0) return text;
  return text.replace(/"\\u0001literal:(\d+)"/g, (whole, i: string) => literals[Number(i)] ?? whole);
}

/** runs[0].inputs["a b"] */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (/^[A-Za-z_$][\w$]*$/.test(key)) return parent === '' ? key : `${parent}.${key}`;
  return `${parent}[${JSON.stringify(key)}]`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return kindOf(value) === 'object';
}
