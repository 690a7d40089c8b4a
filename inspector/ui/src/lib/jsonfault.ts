// Where a text stops being JSON, by line and column: what the browser's own parser says of it differs from one to the next.

export interface Fault {
  /** From 0, in UTF-16 units. */
  offset: number;
  /** From 1. */
  line: number;
  column: number;
  says: string;
  /** The line itself, as far as it is near. */
  excerpt: string;
  /** Where in the excerpt the fault is. */
  caret: number;
}

const space = /[ \t\n\r]/;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;

/** Reads a text as JSON; the reading is a loop with a stack of its own, so no nesting is too deep for it. */
class Reader {
  at = 0;
  /** Closing brackets that are still to come. */
  readonly #open: ('}' | ']')[] = [];

  constructor(readonly text: string) {}

  /** Returns what is wrong at at, or nothing. */
  read(): string | undefined {
    let wants: 'value' | 'first' | 'name' | 'firstName' | 'next' = 'value';
    for (;;) {
      this.#skip();
      const c = this.text[this.at];
      if (wants === 'next') {
        const close = this.#open[this.#open.length - 1];
        if (!close) return c === undefined ? undefined : 'something follows the value';
        if (c === close) this.#close();
        else if (c === ',') {
          this.at++;
          wants = close === '}' ? 'name' : 'value';
        } else return c === undefined ? `the text ends where "," or "${close}" is expected` : `"," or "${close}" is expected`;
        continue;
      }
      if ((wants === 'first' && c === ']') || (wants === 'firstName' && c === '}')) {
        this.#close();
        wants = 'next';
        continue;
      }
      if (wants === 'name' || wants === 'firstName') {
        const wrong = this.#name(c, wants === 'firstName');
        if (wrong) return wrong;
        wants = 'value';
        continue;
      }
      if (c === '{' || c === '[') {
        this.at++;
        this.#open.push(c === '{' ? '}' : ']');
        wants = c === '{' ? 'firstName' : 'first';
        continue;
      }
      const wrong = this.#scalar(c);
      if (wrong) return wrong;
      wants = 'next';
    }
  }

  #skip(): void {
    while (space.test(this.text[this.at] ?? '')) this.at++;
  }

  #close(): void {
    this.at++;
    this.#open.pop();
  }

  #name(c: string | undefined, first: boolean): string | undefined {
    if (c === undefined) return 'the text ends within an object';
    if (c !== '"') return c === '}' && !first ? 'a name is expected after ","' : c === "'" ? 'names stand in double quotation marks' : 'a name in double quotation marks is expected';
    const wrong = this.#string();
    if (wrong) return wrong;
    this.#skip();
    if (this.text[this.at] !== ':') return '":" is expected after a name';
    this.at++;
    return undefined;
  }

  #scalar(c: string | undefined): string | undefined {
    if (c === undefined) return this.at === 0 || this.text.trim() === '' ? 'the text is empty' : 'the text ends where a value is expected';
    if (c === '"') return this.#string();
    for (const form of [number, word]) {
      form.lastIndex = this.at;
      const found = form.exec(this.text);
      if (!found) continue;
      this.at += found[0].length;
      return /[\w.+-]/.test(this.text[this.at] ?? '') ? 'this is no JSON number or word' : undefined;
    }
    if (c === "'") return 'texts stand in double quotation marks';
    if (c === ']' || c === '}') return 'a value is expected';
    return 'this begins no value';
  }

  #string(): string | undefined {
    for (this.at++; ; this.at++) {
      const c = this.text[this.at];
      if (c === undefined) return 'the text ends within quotation marks';
      if (c === '"') break;
      if (c < ' ') return c === '\n' ? 'a line ends within quotation marks' : 'a control character stands within quotation marks';
      if (c !== '\\') continue;
      const escape = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.text.slice(this.at + 1, this.at + 6))?.[0];
      if (!escape) return 'this escape is unknown';
      this.at += escape.length;
    }
    this.at++;
    return undefined;
  }
}

const near = 60;

/** The first fault of a text that should be JSON, or undefined when it is. */
export function faultOf(text: string): Fault | undefined {
  const reader = new Reader(text);
  const says = reader.read();
  if (says === undefined) return undefined;
  const offset = Math.min(reader.at, text.length);
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  const from = Math.max(start, offset - near);
  const excerpt = text.slice(from, Math.min(end < 0 ? text.length : end, offset + near));
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return { offset, line, column: offset - start + 1, says, excerpt, caret: offset - from };
}
