// The live feed: one WebSocket that resumes from its cursor, so that nothing is lost or repeated.
import type { Fact } from './api';

export type LiveState = 'connecting' | 'live' | 'waiting' | 'offline' | 'stopped';

export interface LiveOptions {
  endpoint: string;
  token(): string;
  /** Each fact once, in seq order. */
  onFact(fact: Fact): void;
  /** The first ready: facts after last will come, so a page loaded now has no gap to them. */
  onStart(last: number): void;
  /** The cursor cannot be resumed: everything must be loaded again. */
  onResync(): void;
  /** The server no longer accepts the token. */
  onRefused(): void;
  /** Replaced in tests. */
  open?: (url: string) => WebSocket;
  random?: () => number;
}

interface Message {
  type?: string;
  last?: number;
  seq?: number;
}

const longest = 15_000;
const refusedCodes = [1008, 4001, 4401, 4403];

export class Live {
  state = $state<LiveState>('connecting');
  /** Seconds until the next try, while state is waiting. */
  retryIn = $state(0);

  #options: LiveOptions;
  #socket: WebSocket | null = null;
  #cursor: number | null = null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onOnline = () => this.retryNow();
  #onOffline = () => this.#lost('offline');

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get cursor(): number | null {
    return this.#cursor;
  }

  start(): void {
    addEventListener('online', this.#onOnline);
    addEventListener('offline', this.#onOffline);
    this.#connect();
  }

  stop(): void {
    removeEventListener('online', this.#onOnline);
    removeEventListener('offline', this.#onOffline);
    this.#drop();
    this.state = 'stopped';
  }

  retryNow(): void {
    if (this.state === 'live' || this.state === 'stopped') return;
    this.#drop();
    this.#connect();
  }

  #connect(): void {
    this.state = 'connecting';
    const url = new URL('/api/v1/live', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('endpoint', this.#options.endpoint);
    if (this.#cursor !== null) url.searchParams.set('after', String(this.#cursor));
    const socket = (this.#options.open ?? ((u) => new WebSocket(u)))(url.href);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ token: this.#options.token() }));
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(String(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (refusedCodes.includes(event.code)) {
        this.stop();
        this.#options.onRefused();
        return;
      }
      this.#lost('waiting');
    };
  }

  #receive(data: string): void {
    let message: Message;
    try {
      message = JSON.parse(data) as Message;
    } catch {
      return;
    }
    if (message.type === 'ready') this.#ready(message.last ?? 0);
    else if (message.type === 'resync') this.#resync(message.last ?? 0);
    else if (message.type === 'fact' && typeof message.seq === 'number') {
      if (this.#cursor !== null && message.seq <= this.#cursor) return;
      this.#cursor = message.seq;
      this.#options.onFact(message as Fact);
    }
  }

  #ready(last: number): void {
    this.#failures = 0;
    this.state = 'live';
    if (this.#cursor === null) {
      this.#cursor = last;
      this.#options.onStart(last);
    } else if (last < this.#cursor) {
      // Another data folder than before.
      this.#resync(last);
    }
  }

  #resync(last: number): void {
    this.#cursor = last;
    this.#options.onResync();
  }

  #lost(state: 'waiting' | 'offline'): void {
    if (this.state === 'stopped') return;
    this.#drop();
    this.state = state;
    if (state === 'offline') return;
    const ceiling = Math.min(longest, 500 * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    const delay = ceiling * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
    this.#countdown(delay);
  }

  #countdown(left: number): void {
    this.retryIn = Math.ceil(left / 1000);
    const step = Math.min(left, left % 1000 || 1000);
    this.#timer = setTimeout(() => {
      if (left - step < 1) this.#connect();
      else this.#countdown(left - step);
    }, step);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
