/**
 * An edited copy of a part of the settings. It follows the server's value until somebody edits it, and again
 * once the server has taken the edit.
 */
export class Draft<T> {
  value = $state() as T;
  #source: () => T;
  #base = $state('');

  constructor(source: () => T) {
    this.#source = source;
    this.reset();
    $effect(() => {
      const kept = this.#form(source());
      if (kept !== this.#base && !this.dirty) this.reset();
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
