// Bytes of a capture (body, raw request, stored object), read only as far as they are looked at.
import { said } from './said';
import { api, session } from './session.svelte';

/** How much is read and rendered without being asked. */
export const firstLook = 64 * 1024;

export class Bytes {
  data = $state.raw<Uint8Array | null>(null);
  whole = $state(true);
  loading = $state(false);
  error = $state('');

  readonly route: string;
  #decoded: boolean;

  /** With decoded, the server undoes the content codings that the bytes were sent in. */
  constructor(route: string, decoded = false) {
    this.route = route;
    this.#decoded = decoded;
  }

  async load(limit: number): Promise<void> {
    this.loading = true;
    try {
      const response = await api.response(this.route, { query: { reveal: session.reveal, decoded: this.#decoded } });
      const read = await readSome(response, limit);
      this.data = read.data;
      this.whole = read.whole;
      this.error = '';
    } catch (cause) {
      this.error = said(cause);
    } finally {
      this.loading = false;
    }
  }

  async file(): Promise<Blob> {
    return (await api.response(this.route, { query: { reveal: session.reveal } })).blob();
  }
}

export interface Read {
  data: Uint8Array;
  whole: boolean;
}

/** Reads up to limit bytes of a response and lets go of the rest. */
export async function readSome(response: Response, limit: number): Promise<Read> {
  const reader = response.body?.getReader();
  if (!reader) return { data: new Uint8Array(), whole: true };
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size <= limit) {
    const { done, value } = await reader.read();
    if (done) return { data: join(parts, size), whole: true };
    parts.push(value);
    size += value.length;
  }
  void reader.cancel();
  return { data: join(parts, size).subarray(0, limit), whole: false };
}

function join(parts: Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Offers a file under a name; its type is never one that a browser renders. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
