// XML taken apart only as far as it takes to show it: nothing is expanded, fetched or carried out.

export interface XmlLine {
  depth: number;
  kind: 'tag' | 'text' | 'note';
  text: string;
}

export interface XmlFault {
  line: number;
  column: number;
  says: string;
}

export interface Xml {
  lines: XmlLine[];
  fault: XmlFault | undefined;
  /** Whether there is more than is laid out. */
  more: boolean;
}

const mostLines = 5000;
const pieces = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!(?:[^<>"']|"[^"]*"|'[^']*'|<[^>]*>)*>|<\/?[^\s<>/="']+(?:[^<>"']|"[^"<]*"|'[^'<]*')*>|[^<]+|</g;

/** Whether a text looks like XML. */
export function isXml(text: string, contentType: string): boolean {
  return /[/+]xml\b/i.test(contentType) || /^\s*<\?xml[\s?]/.test(text);
}

/** Lays XML out, one tag a line, and says where it is not well-formed. */
export function layXml(text: string): Xml {
  const lines: XmlLine[] = [];
  const open: { name: string; at: number }[] = [];
  let roots = 0;
  const stop = (at: number, says: string): Xml => ({ lines, fault: { ...placeOf(text, at), says }, more: false });
  for (const match of text.matchAll(pieces)) {
    const piece = match[0];
    const at = match.index;
    if (lines.length >= mostLines) return { lines, fault: undefined, more: true };
    if (piece === '<') return stop(at, 'this tag has no end, or is none');
    if (!piece.startsWith('<')) {
      if (piece.trim() === '') continue;
      if (open.length === 0) return stop(at + piece.search(/\S/), 'a text stands outside of the document');
      lines.push({ depth: open.length, kind: 'text', text: piece.trim() });
    } else if (piece.startsWith('<!') || piece.startsWith('<?')) {
      lines.push({ depth: open.length, kind: piece.startsWith('<![') ? 'text' : 'note', text: piece });
    } else if (piece.startsWith('</')) {
      const name = nameOf(piece);
      const last = open.pop();
      if (last?.name !== name) return stop(at, last ? `</${name}> closes <${last.name}>` : `</${name}> closes nothing`);
      closeTag(lines, open.length, piece);
    } else {
      if (open.length === 0 && roots++ > 0) return stop(at, 'the document has a second root');
      lines.push({ depth: open.length, kind: 'tag', text: piece });
      if (!piece.endsWith('/>')) open.push({ name: nameOf(piece), at });
    }
  }
  const last = open[open.length - 1];
  if (last) return stop(last.at, `<${last.name}> is not closed`);
  return { lines, fault: roots === 0 ? { line: 1, column: 1, says: 'there is no element' } : undefined, more: false };
}

const nameOf = (tag: string) => /^<\/?([^\s/>]+)/.exec(tag)?.[1] ?? '';

/** A short text shares the line of its tags. */
function closeTag(lines: XmlLine[], depth: number, tag: string): void {
  const last = lines[lines.length - 1];
  const before = lines[lines.length - 2];
  const opens = (l: XmlLine | undefined) => l?.kind === 'tag' && l.depth === depth && !l.text.endsWith('/>') && !l.text.includes('</');
  if (opens(last) && last && nameOf(last.text) === nameOf(tag)) last.text += tag;
  else if (last?.kind === 'text' && last.depth === depth + 1 && last.text.length <= 120 && !last.text.includes('\n') && before && opens(before)) {
    before.text += last.text + tag;
    lines.pop();
  } else lines.push({ depth, kind: 'tag', text: tag });
}

function placeOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}
