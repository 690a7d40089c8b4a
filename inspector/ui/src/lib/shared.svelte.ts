// The capture that a link shows. The key in the link's fragment goes to the server in a header, and nowhere else.
import type { Capture } from './api';
import { Detail, withExact } from './capture.svelte';
import { parseJson } from './json';
import { api, session } from './session.svelte';

/** Where links lead to. */
export const sharedPath = '/shared';

export class SharedDetail extends Detail {
  expires = $state('');

  constructor() {
    super('', 0, { find: () => undefined, subscribe: () => () => {} }, () => '');
  }

  override get route(): string {
    return '/shared';
  }

  /** Reads the capture; throws what the server refuses. */
  async open(): Promise<void> {
    session.lend(location.hash.slice(1));
    const text = await (await api.response(this.route, {})).text();
    const shared = JSON.parse(text) as { capture: Capture; expires_at: string };
    const kept = parseJson(text)?.value as { capture?: unknown } | undefined;
    this.capture = withExact(shared.capture, kept?.capture);
    this.expires = shared.expires_at;
  }
}
