// Form bodies, taken apart only as far as it takes to show them.
import type { Pair } from './api';

export function formPairs(text: string): Pair[] {
  return [...new URLSearchParams(text.trim())];
}

export interface Part {
  headers: Pair[];
  data: Uint8Array;
  /** From Content-Disposition; empty where it says none. */
  name: string;
  file: string;
  contentType: string;
}

/** The parts of a multipart body, byte for byte; none when the boundary is not found. */
export function multipartParts(data: Uint8Array, contentType: string): Part[] {
  const match = /boundary=(?:"([^"]+)"|([^;,\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary) return [];
  // A character for each byte, so that places in the text are places in the bytes.
  const text = '\r\n' + latin(data);
  const mark = `\r\n--${boundary}`;
  const parts: Part[] = [];
  for (let at = text.indexOf(mark); at >= 0; ) {
    const from = at + mark.length;
    if (text.startsWith('--', from)) break;
    const next = text.indexOf(mark, from);
    const cut = text.indexOf('\r\n\r\n', from);
    const end = next < 0 ? text.length : next;
    if (cut >= 0 && cut < end) parts.push(partOf(text.slice(from, cut), data.subarray(cut + 4 - 2, end - 2)));
    at = next;
  }
  return parts;
}

function latin(data: Uint8Array): string {
  let text = '';
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return text;
}

function partOf(head: string, data: Uint8Array): Part {
  const headers = utf8(head).split('\r\n').filter((line) => line.trim() !== '').map(headerOf);
  const find = (name: string) => headers.find(([n]) => n.toLowerCase() === name)?.[1] ?? '';
  const disposition = find('content-disposition');
  const param = (name: string) => new RegExp(`(?:^|[;\\s])${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i').exec(disposition);
  const value = (m: RegExpExecArray | null) => (m?.[1] ?? m?.[2] ?? '').replace(/\\(.)/g, '$1');
  return { headers, data, name: value(param('name')), file: value(param('filename')), contentType: find('content-type') };
}

/** A head that was read byte by byte, as the text that it is. */
function utf8(bytes: string): string {
  return new TextDecoder('utf-8').decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
}

function headerOf(line: string): Pair {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}
