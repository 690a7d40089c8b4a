// New captures while nobody looks at the page: a number in its title, and a notification for who wants one.
import { plural, title } from './format';
import type { Capture } from './api';
import { prefs } from './prefs.svelte';

/** Captures that come within this time share a notification. */
const together = 2000;

export class Attention {
  unseen = $state(0);
  #endpoint: string;
  #pending: Capture[] = [];
  #rang = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #open: (seq: number) => void;
  #onLook = () => {
    if (document.visibilityState === 'visible') this.seen();
  };

  constructor(endpoint: string, open: (seq: number) => void) {
    this.#endpoint = endpoint;
    this.#open = open;
  }

  start(): void {
    document.addEventListener('visibilitychange', this.#onLook);
    addEventListener('focus', this.#onLook);
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#onLook);
    removeEventListener('focus', this.#onLook);
    clearTimeout(this.#timer);
  }

  arrived(capture: Capture): void {
    if (prefs.now.sound) this.#ring();
    if (document.visibilityState === 'visible') return;
    this.unseen++;
    if (!prefs.now.notify || permission() !== 'granted') return;
    this.#pending.push(capture);
    this.#timer ??= setTimeout(() => this.#tell(), together);
  }

  seen(): void {
    this.unseen = 0;
    this.#pending = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A burst is one sound. */
  #ring(): void {
    const now = Date.now();
    if (now - this.#rang < together / 2) return;
    this.#rang = now;
    playSound();
  }

  #tell(): void {
    this.#timer = undefined;
    const captures = this.#pending;
    this.#pending = [];
    const last = captures[captures.length - 1];
    if (!last) return;
    const text = captures.length === 1 ? title(last) : plural(captures.length, 'new capture');
    // One for each endpoint: a newer one takes its place.
    const note = new Notification(this.#endpoint, { body: text, tag: 'hookrange ' + this.#endpoint, silent: true });
    note.onclick = () => {
      window.focus();
      note.close();
      this.#open(last.seq);
    };
  }
}

/** Plays the sound of new captures; a browser that has none stays silent. */
export function playSound(): void {
  import('./sound').then((sound) => sound.ring()).catch(() => undefined);
}

/** Turns the sound on, with a sample of it, or off. */
export function setSound(on: boolean): void {
  prefs.set({ sound: on });
  if (on) playSound();
}

/** What the browser says of notifications; unsupported where it has none or the page is not secure enough. */
export function permission(): NotificationPermission | 'unsupported' {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}

/** Turns notifications on, if the browser lets it. */
export async function askToNotify(): Promise<void> {
  if (permission() === 'unsupported') return;
  const answer = Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
  prefs.set({ notify: answer === 'granted' });
}

/** The page's title, with how many captures were not seen. */
export function titleOf(name: string, unseen: number): string {
  const count = prefs.now.badge && unseen > 0 ? `(${unseen > 999 ? '999+' : unseen}) ` : '';
  return `${count}${name} · Hookrange`;
}
