// Whoever uses keys has the focus somewhere: where it was on something that is gone, it goes to what the screen is about.

const patience = 2000;
const places = ['.list-pane .scroll', 'article [role=tabpanel]', 'main h1', 'main'];

let keyboard = false;
let looking: ReturnType<typeof setTimeout> | undefined;

const lost = () => document.activeElement === null || document.activeElement === document.body;

/** Focuses an element that takes none by itself, too. */
function focusOn(element: HTMLElement): void {
  if (element.tabIndex < 0 && !element.hasAttribute('tabindex')) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

/** Gives a lost focus to an element, or else to what the screen is about as soon as that is there. */
export function keepFocus(near?: HTMLElement | null): void {
  clearTimeout(looking);
  const until = Date.now() + patience;
  const look = (): void => {
    if (!keyboard || !lost()) return;
    if (near?.isConnected) focusOn(near);
    for (const place of places) {
      const found = lost() ? document.querySelector<HTMLElement>(place) : null;
      if (found) focusOn(found);
    }
    if (lost() && Date.now() < until) looking = setTimeout(look, 50);
  };
  looking = setTimeout(look);
}

/** Watches for what takes the focus away: dialogs that close, and controls that vanish when they are pressed. */
export function watchFocus(): () => void {
  const end = new AbortController();
  const listen = (name: string, on: (event: Event) => void) => document.addEventListener(name, on, { capture: true, signal: end.signal });
  listen('keydown', () => (keyboard = true));
  listen('pointerdown', () => (keyboard = false));
  listen('close', () => keepFocus());
  listen('click', (event) => {
    if (!(event.target instanceof Element)) return;
    const box = event.target.closest<HTMLElement>('fieldset, form, section');
    keepFocus(box?.querySelector<HTMLElement>('button:not(:disabled), input, select, textarea'));
  });
  return () => end.abort();
}
