// Links from runs to the application that they come from.

/** Where app paths lead to when nobody says otherwise. */
export const usualBase = 'https://smith.langchain.com';

/** The base that somebody chose, or else the origin of the endpoint's own base, or else the usual one. */
export function appBase(chosen: string, endpointBase: string): string {
  for (const text of [chosen, endpointBase]) {
    const url = httpUrl(text);
    if (url) return chosen === text ? url.href : url.origin;
  }
  return usualBase;
}

/**
 * The address that an app path leads to, or an empty text when it would lead anywhere but below the base's origin: the
 * path was written by a sender.
 */
export function appLink(path: string, base: string): string {
  const root = httpUrl(base);
  if (!root || path === '' || [...path].some((c) => c <= ' ' || c === '\\')) return '';
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(path);
  if (!absolute && (!path.startsWith('/') || path.startsWith('//'))) return '';
  const url = httpUrl(absolute ? path : root.href.replace(/[/?#]*$/, '') + path);
  return url && url.origin === root.origin && url.username === '' ? url.href : '';
}

/** Why a text cannot be a base; empty when it can. */
export function baseFault(text: string): string {
  return text.trim() === '' || httpUrl(text) ? '' : 'Give an address that begins with https:// or http://.';
}

function httpUrl(text: string): URL | undefined {
  try {
    const url = new URL(text.trim());
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
  } catch {
    return undefined;
  }
}
