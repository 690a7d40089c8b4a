import { onDestroy } from 'svelte';

/** Edits that were neither saved nor undone, by place, while their screen is not shown. */
const left = new Map<string, string>();
let shown = 0;

/** The place of a part of an endpoint's settings. */
export const draftOf = (endpoint: string, part: string): string => endpoint + '/' + part;

/** A reload or a closed tab would lose them, so the browser asks first. */
function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

function watch(by: number): void {
  shown += by;
  if (shown + left.size > 0) addEventListener('beforeunload', ask);
  else removeEventListener('beforeunload', ask);
}

/**
 * An edited copy of a part of the settings. It follows the server's value until somebody edits it, and again
 * once the server has taken the edit. An edit outlives its screen: it is there again when somebody comes back.
 */
export class Draft<T> {
  value = $state() as T;
  #source: () => T;
  #base = $state('');

  /** An edit is kept by where it is, see draftOf. */
  constructor(where: () => string, source: () => T) {
    const place = where();
    this.#source = source;
    this.reset();
    const begun = left.get(place);
    if (begun !== undefined) this.value = JSON.parse(begun) as T;
    left.delete(place);
    watch(0);
    $effect(() => {
      const kept = this.#form(source());
      if (kept !== this.#base && !this.dirty) this.reset();
    });
    $effect(() => {
      if (!this.dirty) return;
      watch(1);
      return () => watch(-1);
    });
    onDestroy(() => {
      if (this.dirty) left.set(place, this.#form(this.value));
      watch(0);
    });
  }

  get dirty(): boolean {
    return this.#form(this.value) !== this.#base;
  }

  reset = (): void => {
    this.#base = this.#form(this.#source());
    this.value = JSON.parse(this.#base) as T;
  };

  #form(value: T): string {
    return JSON.stringify(value);
  }
}
