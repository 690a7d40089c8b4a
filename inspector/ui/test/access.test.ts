import { afterEach, describe, expect, it, vi } from 'vitest';
import { deed, type AuditEntry } from '../src/lib/access';
import { caller } from '../src/lib/caller.svelte';
import { parseRoute } from '../src/lib/router.svelte';
import { session } from '../src/lib/session.svelte';

const entry = (action: string, details: AuditEntry['details'] = []): AuditEntry => ({
  id: 1, at: '2026-11-22T12:00:00Z', last_at: '2026-11-22T12:00:00Z', count: 1, request_id: 'r', who: 'me', token: '', action,
  endpoint: '', object: '', peer: '', outcome: 'done', details,
});

const info = (role: string, endpoints: string[] = []) => ({ caller: { id: 'x', name: 'Anna', role, endpoints, expires_at: null } });

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
  caller.now = null;
});

describe('who one is', () => {
  it('is offered everything until the server has said what the token allows', async () => {
    expect(caller.may('admin') && caller.whole).toBe(true);
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(info('view', ['a'])))));
    session.accept('hkr_x_y');
    session.reveal = true;
    await caller.load();
    expect([caller.may('view'), caller.may('operate'), caller.may('admin'), caller.whole]).toEqual([true, false, false, false]);
    expect(session.reveal).toBe(false);
    // After a reload it is known at once, but not of another token.
    caller.now = null;
    vi.stubGlobal('fetch', () => new Promise(() => {}));
    void caller.load();
    expect(caller.may('operate')).toBe(false);
    session.accept('another');
    void caller.load();
    expect(caller.now).toBe(null);
  });

  it('does not keep the key of a share', () => {
    session.leave();
    session.lend('hks_a_b');
    expect(session.token).toBe('hks_a_b');
    expect(JSON.stringify(Object.entries(sessionStorage))).not.toContain('hks_a_b');
    session.refuse();
    expect(session.refusal).toBe('');
  });
});

it('says what was done in words', () => {
  expect(deed(entry('changeEndpoint'))).toBe('changed the settings');
  expect(deed(entry('getBody', [{ name: 'reveal', from: '', to: 'true' }]))).toBe('read with secrets shown');
  expect(deed(entry('somethingNew'))).toBe('somethingNew');
});

it('has pages for tokens and the audit log', () => {
  expect(parseRoute('/tokens').access).toBe('tokens');
  expect(parseRoute('/audit').access).toBe('audit');
  expect(parseRoute('/e/tokens').access).toBe(undefined);
});
