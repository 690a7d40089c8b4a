// Text made by senders is shown so that it cannot pretend to be something else: control characters,
// bidirectional overrides and invisible characters become visible escapes.

export interface Segment {
  text: string;
  /** Set when text is an escape: says what stood there. */
  name?: string;
}

const names: Record<number, string> = {
  0x00: 'NULL', 0x07: 'BELL', 0x08: 'BACKSPACE', 0x09: 'TAB', 0x0a: 'LINE FEED', 0x0d: 'CARRIAGE RETURN',
  0x1b: 'ESCAPE', 0x7f: 'DELETE', 0xad: 'SOFT HYPHEN', 0x061c: 'ARABIC LETTER MARK', 0x200b: 'ZERO WIDTH SPACE',
  0x200e: 'LEFT-TO-RIGHT MARK', 0x200f: 'RIGHT-TO-LEFT MARK', 0x2028: 'LINE SEPARATOR',
  0x2029: 'PARAGRAPH SEPARATOR', 0x202a: 'LEFT-TO-RIGHT EMBEDDING', 0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING', 0x202d: 'LEFT-TO-RIGHT OVERRIDE', 0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x2060: 'WORD JOINER', 0x2066: 'LEFT-TO-RIGHT ISOLATE', 0x2067: 'RIGHT-TO-LEFT ISOLATE',
  0x2068: 'FIRST STRONG ISOLATE', 0x2069: 'POP DIRECTIONAL ISOLATE', 0xfeff: 'ZERO WIDTH NO-BREAK SPACE',
};

// Controls, soft hyphen, bidi controls, invisible separators and operators, BOM, interlinear marks, tag
// characters and lone surrogates. Joiners (U+200C, U+200D) and variation selectors belong to ordinary text.
const oneLine =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|\p{Surrogate}/gu;
const multiLine =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|\p{Surrogate}/gu;

function escape(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code === 0x09) return '\\t';
  if (code === 0x0a) return '\\n';
  if (code === 0x0d) return '\\r';
  const hex = code.toString(16).padStart(4, '0');
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex}`;
}

/** One line of text with everything deceptive escaped. */
export function visible(text: string): string {
  return text.replace(oneLine, escape);
}

/** Text in pieces, so that escapes can look different. Line feeds and tabs stay when lines is true. */
export function segments(text: string, lines = false): Segment[] {
  const out: Segment[] = [];
  let from = 0;
  for (const match of text.matchAll(lines ? multiLine : oneLine)) {
    const char = match[0];
    const code = char.codePointAt(0) ?? 0;
    // A carriage return before a line feed ends a line like any other.
    if (lines && code === 0x0d && text[match.index + 1] === '\n') {
      if (match.index > from) out.push({ text: text.slice(from, match.index) });
      from = match.index + 1;
      continue;
    }
    if (match.index > from) out.push({ text: text.slice(from, match.index) });
    const point = 'U+' + code.toString(16).toUpperCase().padStart(4, '0');
    out.push({ text: escape(char), name: names[code] ? `${point} ${names[code]}` : point });
    from = match.index + char.length;
  }
  if (from < text.length) out.push({ text: text.slice(from) });
  return out;
}

/** The beginning of a text, never with half a character at its end. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length + 1 : length);
}
