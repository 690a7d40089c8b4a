/**
 * Copies text that may have to be fetched first. Resolves to false when the browser refuses, as it does on
 * plain-HTTP pages that are not on this machine.
 */
export async function copy(text: string | Promise<string>): Promise<boolean> {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      if (typeof text !== 'string' && typeof ClipboardItem !== 'undefined') {
        // Keeps the user's click valid while the text is fetched.
        const blob = text.then((t) => new Blob([t], { type: 'text/plain' }));
        await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
      } else {
        await navigator.clipboard.writeText(await text);
      }
      return true;
    } catch {
      // Refused, or no permission: the older way below may still work.
    }
  }
  return copyBySelection(await text);
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  area.setAttribute('aria-hidden', 'true');
  const focused = document.activeElement;
  // What is outside of an open sheet cannot be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
