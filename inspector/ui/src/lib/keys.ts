export interface KeyGroup {
  name: string;
  keys: [keys: string[], does: string][];
}

export const keys: KeyGroup[] = [
  {
    name: 'List',
    keys: [
      [['j', '↓'], 'next capture (older)'],
      [['k', '↑'], 'previous capture (newer)'],
      [['→', '←'], 'unfold and fold the attempts of a delivery'],
      [['Enter'], 'open the capture'],
      [['d'], 'group attempts by delivery, or do not'],
      [['t'], 'times relative or exact'],
      [['f'], 'follow new captures, or stop'],
      [['a'], 'open each new capture by itself, or stop'],
      [['s'], 'a short sound with new captures, or none'],
      [['/'], 'search'],
      [['v'], 'pins, saved filters, jump to a time'],
      [['R'], 'send on all that the list shows'],
      [['e'], 'take captures out'],
    ],
  },
  {
    name: 'Capture',
    keys: [
      [['1', '2', '3', '4'], 'Payload, Request, Answer, Delivery'],
      [['x'], 'compare with another capture'],
      [['r'], 'send it on'],
      [['m'], 'pin'],
      [['n'], 'write a note'],
      [['u'], 'mark as unread, and back to the list'],
      [['Esc'], 'out of the comparison, or back to the list'],
    ],
  },
  {
    name: 'Endpoint',
    keys: [
      [['c'], 'copy the hook URL'],
      [['p'], 'change what it answers'],
      [['g', 's'], 'settings of the endpoint'],
      [['g', 'c'], 'connections of the endpoint'],
      [['g', 't'], 'conformance runs'],
      [['g', 'l'], 'list of captures'],
      [['?'], 'this help'],
    ],
  },
];

/** Whether a key press belongs to what has the focus and not to the page. */
export function typing(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  // A checkbox, say, takes no letters, but its arrows and blanks are its own; and keys belong to an open dialog.
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || document.querySelector('dialog[open]') !== null;
}
