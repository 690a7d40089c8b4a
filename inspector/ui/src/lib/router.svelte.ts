// Paths of the page: /, /e/{endpoint}, /e/{endpoint}/{seq}, /e/{endpoint}/settings.

export interface Route {
  endpoint: string;
  seq: number | null;
  settings: boolean;
}

export function parseRoute(pathname: string): Route {
  const [head, name = '', rest = ''] = pathname.split('/').slice(1);
  if (head !== 'e' || name === '') return { endpoint: '', seq: null, settings: false };
  const seq = /^[1-9]\d{0,15}$/.test(rest) ? Number(rest) : null;
  return { endpoint: decode(name), seq, settings: rest === 'settings' };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function pathOf(endpoint: string, rest: number | 'settings' | null = null): string {
  if (endpoint === '') return '/';
  return '/e/' + encodeURIComponent(endpoint) + (rest === null ? '' : '/' + rest);
}

class Router {
  route = $state.raw<Route>(parseRoute(location.pathname));

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  /** Goes to a path of the page; the search part (filters) stays while the endpoint stays. */
  go(path: string, how: 'push' | 'replace' = 'push'): void {
    const same = parseRoute(path).endpoint === this.route.endpoint;
    const url = path + (same ? location.search : '');
    if (url === location.pathname + location.search) return;
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
    this.#read();
  }

  #read(): void {
    this.route = parseRoute(location.pathname);
  }
}

export const router = new Router();
