// The inspector's token: handed over in the URL fragment, kept for this tab only, never in a cookie.
import { createApi } from './api';

const key = 'hookrange.token';

class Session {
  token = $state('');
  /** Why the form asks for a token: set after the server refused one. */
  refusal = $state('');
  /** Show secrets: masked again with the next page load. */
  reveal = $state(false);
  #lent = false;

  /** Takes the token from the fragment, if there is one, and removes it from the address bar. */
  start(): void {
    const fragment = new URLSearchParams(location.hash.slice(1));
    const given = fragment.get('token');
    if (given) {
      fragment.delete('token');
      const rest = fragment.toString();
      history.replaceState(history.state, '', location.pathname + location.search + (rest ? '#' + rest : ''));
      this.accept(given);
      return;
    }
    this.token = sessionStorage.getItem(key) ?? '';
  }

  accept(token: string): void {
    this.token = token.trim();
    this.refusal = '';
    sessionStorage.setItem(key, this.token);
  }

  /** Takes the key of a share, for this view only. */
  lend(key: string): void {
    this.token = key;
    this.#lent = true;
  }

  /** Forgets the token. */
  leave(): void {
    this.token = '';
    this.refusal = '';
    this.reveal = false;
    sessionStorage.removeItem(key);
  }

  refuse(): void {
    if (this.token === '' || this.#lent) return;
    this.token = '';
    this.refusal = 'The server did not accept this token. It is wrong, was revoked or has expired.';
    sessionStorage.removeItem(key);
  }
}

export const session = new Session();

export const api = createApi({
  token: () => session.token,
  refused: () => session.refuse(),
});
