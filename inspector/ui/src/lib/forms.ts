// Form bodies, taken apart only as far as it takes to show them.
import type { Pair } from './api';

export function formPairs(text: string): Pair[] {
  return [...new URLSearchParams(text.trim())];
}

export interface Part {
  headers: Pair[];
  text: string;
}

/** The parts of a multipart body; none when the boundary is not found. */
export function multipartParts(text: string, contentType: string): Part[] {
  const match = /boundary=(?:"([^"]+)"|([^;,\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary) return [];
  const pieces = ('\r\n' + text).split(`\r\n--${boundary}`);
  const parts: Part[] = [];
  for (const piece of pieces.slice(1)) {
    if (piece.startsWith('--')) break;
    const cut = piece.indexOf('\r\n\r\n');
    if (cut < 0) continue;
    const headers = piece.slice(0, cut).split('\r\n').filter(Boolean).map(headerOf);
    parts.push({ headers, text: piece.slice(cut + 4) });
  }
  return parts;
}

function headerOf(line: string): Pair {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}
