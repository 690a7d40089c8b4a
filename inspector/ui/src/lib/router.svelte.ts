// Paths of the page: /, /e/{endpoint}, /e/{endpoint}/{seq}, /e/{endpoint}/{seq}/diff/{seq of the one before},
// /e/{endpoint}/latest, /e/{endpoint}/settings, /e/{endpoint}/connections, /tests, /tests/{run}, /tests/{run}/{case},
// /tests/{run}/{case}?with={other run}, /tokens, /audit. A link to a shared capture, /shared#KEY, is another page.

export interface Route {
  endpoint: string;
  seq: number | null;
  settings: boolean;
  connections: boolean;
  /** The capture that seq is compared with. */
  diff: number | null;
  /** Shows the newest capture, whichever it is. */
  latest: boolean;
  /** Set on the pages of conformance runs; empty parts are not in the path. */
  tests?: TestsRoute;
  /** Set on the pages about who may do what, and who did. */
  access?: AccessRoute;
}

export type AccessRoute = 'tokens' | 'audit';

export interface TestsRoute {
  run: string;
  case: string;
  /** The run that it is compared with. */
  other: string;
}

const nowhere: Route = { endpoint: '', seq: null, settings: false, connections: false, diff: null, latest: false };

export function parseRoute(address: string): Route {
  const [pathname = '', search = ''] = address.split('?');
  const [head, name = '', rest = '', more = '', other = ''] = pathname.split('/').slice(1);
  if (head === 'tests') {
    const tests = { run: decode(name), case: decode(rest), other: new URLSearchParams(search).get('with') ?? '' };
    return { ...nowhere, tests };
  }
  if (head === 'tokens' || head === 'audit') return { ...nowhere, access: head };
  if (head !== 'e' || name === '') return nowhere;
  const seq = seqOf(rest);
  return {
    endpoint: decode(name), seq, settings: rest === 'settings', connections: rest === 'connections', latest: rest === 'latest',
    diff: seq !== null && more === 'diff' ? seqOf(other) : null,
  };
}

function seqOf(segment: string): number | null {
  return /^[1-9]\d{0,15}$/.test(segment) ? Number(segment) : null;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function pathOf(endpoint: string, rest: number | 'settings' | 'connections' | 'latest' | null = null): string {
  if (endpoint === '') return '/';
  return '/e/' + encodeURIComponent(endpoint) + (rest === null ? '' : '/' + rest);
}

/** The differences of two captures, the earlier of them named first. */
export function diffPath(endpoint: string, before: number, after: number): string {
  return `${pathOf(endpoint, after)}/diff/${before}`;
}

export function testsPath(run = '', testCase = '', other = ''): string {
  const parts = ['/tests', run, testCase].filter((p) => p !== '').map((p, i) => (i === 0 ? p : encodeURIComponent(p)));
  return parts.join('/') + (other === '' ? '' : '?with=' + encodeURIComponent(other));
}

/** Whether a click on a link is for the page and not for another tab; then the browser does nothing with it. */
export function inPage(event: MouseEvent): boolean {
  const own = !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (own) event.preventDefault();
  return own;
}

class Router {
  route = $state.raw<Route>(parseRoute(location.pathname + location.search));

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  /** Goes to a path of the page; the search part (filters) stays while the endpoint stays. */
  go(path: string, how: 'push' | 'replace' = 'push'): void {
    const to = parseRoute(path);
    const same = to.endpoint === this.route.endpoint && !to.tests && !this.route.tests;
    const url = path + (same ? location.search : '');
    if (url === location.pathname + location.search) return;
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
    this.#read();
  }

  #read(): void {
    this.route = parseRoute(location.pathname + location.search);
  }
}

export const router = new Router();
