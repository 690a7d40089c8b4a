// The endpoints of the server, for the switcher and the first screen.
import type { Endpoint } from './api';
import { path } from './api';
import { said } from './said';
import { api } from './session.svelte';

/** The endpoints of conformance runs are shown with their run. */
const ofARun = /^test-[0-9a-f]{32}-/;

class Endpoints {
  list = $state.raw<Endpoint[]>([]);
  loaded = $state(false);
  error = $state('');

  async load(): Promise<void> {
    try {
      const answer = await api.json<{ endpoints: Endpoint[] }>('/endpoints');
      this.list = answer.endpoints.filter((e) => !ofARun.test(e.name));
      this.loaded = true;
      this.error = '';
    } catch (cause) {
      this.error = said(cause);
    }
  }

  async create(settings: Partial<Endpoint>): Promise<Endpoint> {
    const made = await api.json<Endpoint>('/endpoints', { method: 'POST', json: settings });
    await this.load();
    return made;
  }

  async remove(name: string): Promise<void> {
    await api.none(path('endpoints', name), { method: 'DELETE' });
    this.list = this.list.filter((e) => e.name !== name);
  }
}

export const endpoints = new Endpoints();
