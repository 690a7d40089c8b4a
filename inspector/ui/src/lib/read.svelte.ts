// Which captures were looked at, kept in this browser: somebody else's reading is not one's own.

interface Kept {
  /** Everything up to here is read, but for what unread has. */
  through: number;
  read: number[];
  unread: number[];
}

/** More single captures than this are not kept apart. */
const most = 4000;

export class ReadState {
  #key: string;
  #kept = $state.raw<Kept | null>(null);
  #read = $derived(new Set(this.#kept?.read));
  #unread = $derived(new Set(this.#kept?.unread));
  #saving: ReturnType<typeof setTimeout> | undefined;
  #onStorage = (event: StorageEvent) => {
    if (event.key === this.#key) this.#kept = keptOf(event.newValue);
  };

  #onLeave = () => {
    if (this.#saving !== undefined) this.#save();
  };

  constructor(endpoint: string) {
    this.#key = 'hookrange.read.' + endpoint;
  }

  start(): void {
    addEventListener('storage', this.#onStorage);
    // A tab that is closed or left stops nothing.
    addEventListener('pagehide', this.#onLeave);
    try {
      this.#kept = keptOf(localStorage.getItem(this.#key));
    } catch {
      // Then this page's memory has to do.
    }
  }

  stop(): void {
    removeEventListener('storage', this.#onStorage);
    removeEventListener('pagehide', this.#onLeave);
    this.#onLeave();
  }

  /** On the first visit what is there already is nothing new. */
  begin(newest: number): void {
    if (this.#kept === null) this.#keep({ through: newest, read: [], unread: [] });
  }

  has(seq: number): boolean {
    const kept = this.#kept;
    return kept === null || this.#read.has(seq) || (seq <= kept.through && !this.#unread.has(seq));
  }

  mark(seq: number, read: boolean): void {
    const kept = this.#kept ?? { through: 0, read: [], unread: [] };
    if (this.#kept !== null && this.has(seq) === read) return;
    const others = (list: number[]) => list.filter((s) => s !== seq);
    const next = { through: kept.through, read: others(kept.read), unread: others(kept.unread) };
    if (read && seq > kept.through) next.read.push(seq);
    if (!read && seq <= kept.through) next.unread.push(seq);
    this.#keep(next);
  }

  /** Everything up to a capture is read. */
  all(newest: number): void {
    this.#keep({ through: Math.max(newest, this.#kept?.through ?? 0), read: [], unread: [] });
  }

  #keep(kept: Kept): void {
    if (kept.read.length > most) {
      kept.read.sort((a, b) => a - b);
      kept.through = kept.read[kept.read.length - most - 1] ?? kept.through;
      kept.read = kept.read.slice(-most);
    }
    kept.unread = kept.unread.slice(-most);
    this.#kept = kept;
    this.#saving ??= setTimeout(() => this.#save(), 200);
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    try {
      localStorage.setItem(this.#key, JSON.stringify(this.#kept));
    } catch {
      // As in start.
    }
  }
}

/** What fits of a stored text, or null. */
export function keptOf(text: string | null): Kept | null {
  try {
    const kept = JSON.parse(text ?? 'null') as Partial<Kept> | null;
    if (!kept || !Number.isSafeInteger(kept.through)) return null;
    const seqs = (list: unknown): number[] => (Array.isArray(list) ? list.filter((s): s is number => Number.isSafeInteger(s)) : []);
    return { through: kept.through ?? 0, read: seqs(kept.read), unread: seqs(kept.unread) };
  } catch {
    return null;
  }
}
