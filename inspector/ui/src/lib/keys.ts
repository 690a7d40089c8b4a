export const keys: [keys: string[], does: string][] = [
  [['j', '↓'], 'next capture (older)'],
  [['k', '↑'], 'previous capture (newer)'],
  [['Enter'], 'open the capture'],
  [['Esc'], 'back to the list'],
  [['1', '2', '3'], 'Payload, Request, Answer'],
  [['/'], 'search'],
  [['f'], 'follow new captures, or stop'],
  [['c'], 'copy the hook URL'],
  [['p'], 'change what it answers'],
  [['r'], 'send the open capture on'],
  [['R'], 'send on all that the list shows'],
  [['e'], 'take captures out'],
  [['g', 's'], 'settings of the endpoint'],
  [['g', 't'], 'conformance runs'],
  [['g', 'l'], 'list of captures'],
  [['?'], 'this help'],
];

/** Whether a key press belongs to what has the focus and not to the page. */
export function typing(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || document.querySelector('dialog[open]') !== null;
}
