// Text that somebody has begun to write and not sent; it outlives going elsewhere in the page, and a reload of this tab.

const prefix = 'hookrange.draft.';

/** What was begun for a place, such as the note of a capture; null if nothing was. */
export function begun(place: string): string | null {
  try {
    return sessionStorage.getItem(prefix + place);
  } catch {
    return null;
  }
}

/** Keeps what is being written for a place; null once it is sent or given up. */
export function keep(place: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(prefix + place);
    else sessionStorage.setItem(prefix + place, text);
  } catch {
    // A browser without room for it only keeps it while it is on screen.
  }
}
