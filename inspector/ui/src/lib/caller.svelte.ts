// Who looks at this page, and what the token allows. The server decides; the page only does not offer what it would refuse.
import type { Info } from './api';
import { api, session } from './session.svelte';

export type Role = Info['caller']['role'];

const ranks: Record<Role, number> = { view: 1, operate: 2, admin: 3 };
const key = 'hookrange.caller';

class Caller {
  now = $state.raw<Info['caller'] | null>(null);

  /** Whether the role allows it; while that is not known, as if it did. */
  may(role: Role): boolean {
    return this.now === null || ranks[this.now.role] >= ranks[role];
  }

  /** Whether the token is for all endpoints. */
  get whole(): boolean {
    return this.now === null || this.now.endpoints.length === 0;
  }

  async load(): Promise<void> {
    const token = session.token;
    // As it was before a reload, so that nothing appears and goes again.
    this.now = remembered(token);
    try {
      const info = await api.json<Info>('/info');
      if (session.token !== token) return;
      this.now = info.caller ?? null;
      sessionStorage.setItem(key, JSON.stringify({ token, caller: info.caller }));
      if (!this.may('operate')) session.reveal = false;
    } catch {
      // What is shown instead says so already.
    }
  }
}

function remembered(token: string): Info['caller'] | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? '') as { token: string; caller: Info['caller'] };
    return kept.token === token ? kept.caller : null;
  } catch {
    return null;
  }
}

export const caller = new Caller();
