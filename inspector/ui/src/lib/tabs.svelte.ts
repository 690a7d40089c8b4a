/** The part of a capture on screen; it stays while one goes from capture to capture. */
export const tabs = $state({ selected: 'payload' });
