export interface HexLine {
  offset: string;
  hex: string;
  text: string;
}

/** Lines of 16 bytes, as hexdump -C prints them. */
export function hexLines(data: Uint8Array, from = 0, to = data.length): HexLine[] {
  const lines: HexLine[] = [];
  for (let at = from; at < to; at += 16) {
    const row = data.subarray(at, Math.min(at + 16, to));
    const cells = Array.from(row, (b) => b.toString(16).padStart(2, '0'));
    const left = cells.slice(0, 8).join(' ');
    const right = cells.slice(8).join(' ');
    const text = Array.from(row, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '·')).join('');
    lines.push({ offset: at.toString(16).padStart(8, '0'), hex: right ? `${left}  ${right}` : left, text });
  }
  return lines;
}
