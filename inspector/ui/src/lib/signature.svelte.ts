// The signature lab of one capture. What is typed stays in this object and goes to the server only.
import type { Signature } from './api';
import type { Detail } from './capture.svelte';
import { said } from './said';
import { api } from './session.svelte';

export class Lab {
  result = $state.raw<Signature | null>(null);
  error = $state('');
  busy = $state(false);
  /** Empty stands for the endpoint's scheme. */
  scheme = $state('');
  secret = $state('');
  param = $state('');
  header = $state('');
  prefix = $state('');
  encoding = $state('hex');
  hash = $state('sha256');
  timestamp = $state('');

  #detail: Detail;
  #calls = 0;

  constructor(detail: Detail) {
    this.#detail = detail;
  }

  /** Asks with what is typed, or for the endpoint's own policy when nothing is. */
  async check(): Promise<void> {
    const call = ++this.#calls;
    this.busy = true;
    try {
      const result = await api.json<Signature>(this.#detail.route + '/signature', { method: 'POST', json: this.#typed() });
      if (call === this.#calls) [this.result, this.error] = [result, ''];
    } catch (cause) {
      if (call === this.#calls) [this.result, this.error] = [null, said(cause)];
    } finally {
      if (call === this.#calls) this.busy = false;
    }
  }

  #typed(): Record<string, string> {
    const typed: Record<string, string> = {};
    if (this.secret !== '') typed.secret = this.secret;
    if (this.scheme === '') return typed;
    typed.scheme = this.scheme;
    if (this.scheme === 'query' && this.param) typed.param = this.param;
    if (this.scheme === 'header' && this.header) typed.header = this.header;
    if (this.scheme !== 'hmac') return typed;
    return {
      ...typed, header: this.header, prefix: this.prefix, encoding: this.encoding, hash: this.hash, timestamp_header: this.timestamp,
    };
  }
}
