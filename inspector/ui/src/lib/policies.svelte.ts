// The policies that senders claim, and which one an endpoint's sender does.
import type { Capture, Policy } from './api';
import { prefs } from './prefs.svelte';
import { said } from './said';
import { api } from './session.svelte';

class Policies {
  list = $state.raw<Policy[]>([]);
  error = $state('');
  #asked = false;

  async load(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    try {
      this.list = (await api.json<{ policies: Policy[] }>('/policies')).policies;
      this.error = '';
    } catch (cause) {
      this.#asked = false;
      this.error = said(cause);
    }
  }

  named(name: string): Policy | undefined {
    return this.list.find((p) => p.name === name);
  }
}

export const policies = new Policies();

/** The policy that a capture's sender claims: the one that somebody chose for the endpoint, or the payload's usual one. */
export function claimed(capture: Pick<Capture, 'endpoint' | 'payload' | 'headers'>): string {
  return prefs.now.policies[capture.endpoint] ?? guessed(capture);
}

/** The policy of the sender that such captures come from; empty when it is unknown. */
export function guessed(capture: Pick<Capture, 'payload' | 'headers'>): string {
  switch (capture.payload.kind) {
    case 'langsmith-rule':
      return 'langsmith-rules';
    case 'langsmith-engine':
    case 'langsmith-context-hub':
      return 'langsmith-engine';
    case 'agent-server-run':
      return capture.payload.variant === 'js' ? 'agent-server-js' : 'agent-server-python';
    default:
      return '';
  }
}

/** Chooses for an endpoint; the empty name is none. */
export function choose(endpoint: string, name: string): void {
  prefs.set({ policies: { ...prefs.now.policies, [endpoint]: name } });
}
