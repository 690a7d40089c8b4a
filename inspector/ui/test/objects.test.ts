import { expect, test } from 'vitest';
import { said, summary } from '../src/lib/objects';

const facts = { state: 'blocked' as const, code: '', message: '', size: 0, url: '', tries: 0, http_status: 0 };

test.each([
  ['address_literal', 'http://127.0.0.1:9000/b/k', '127.0.0.1:9000', 'fetch.private'],
  ['port_not_allowed', 'https://minio.internal:9000/b/k', 'minio.internal:9000', 'fetch.private'],
  ['address_not_allowed', 'https://minio.internal/b/k', 'minio.internal:443', 'fetch.private'],
  ['host_not_allowed', 'https://store.example.com/b/k', 'store.example.com', 'fetch.hosts'],
  ['base_url_missing', '/public/k', '', 'fetch.base_url'],
  ['fetch_off', 'https://s3.amazonaws.com/b/k', '', 'fetch.off'],
])('%s of %s names the setting that lets it through', (code, url, host, setting) => {
  const says = said({ ...facts, code, message: 'why', url });
  expect(says.why).toBe(`${code}: why`);
  expect(says.todo).toContain(setting);
  expect(says.todo).toContain(host);
  expect(says.settings).toBe(true);
});

test.each(['userinfo_not_allowed', 'host_malformed', 'url_malformed', 'redirect_refused', 'something_new'])('%s has no setting', (code) => {
  expect(said({ ...facts, code, url: 'javascript:alert(1)' })).toMatchObject({ todo: '', settings: false });
});

test('a URL that is none, or of another scheme, is never put into advice', () => {
  for (const url of ['javascript:alert(1)', 'http://', 'file:///etc/passwd', '']) {
    expect(said({ ...facts, code: 'host_not_allowed', url }).todo).toBe('');
  }
});

test('each state has its word and tone', () => {
  expect(said({ ...facts, state: 'resolved', size: 1500 })).toMatchObject({ word: 'resolved · 1.5 kB', tone: 'ok', why: '', todo: '' });
  expect(said({ ...facts, state: 'denied', code: 'AccessDenied', message: 'the object store refused' })).toMatchObject({
    word: 'denied', tone: 'bad', why: 'AccessDenied: the object store refused', settings: false,
  });
  expect(said({ ...facts, state: 'pending' }).word).toBe('pending');
  expect(said({ ...facts, state: 'pending', tries: 2, code: 'http_500' })).toMatchObject({ word: 'trying again', why: 'http_500' });
  expect(said({ ...facts, state: 'too_large', code: 'too_large' })).toMatchObject({ word: 'too large', settings: true });
  expect(said({ ...facts, state: 'expired' }).todo).not.toBe('');
});

test('a summary counts by state', () => {
  expect(summary([{ state: 'resolved' }, { state: 'resolved' }])).toBe('2 objects, all resolved');
  expect(summary([{ state: 'too_large' }])).toBe('1 object, too large');
  expect(summary([{ state: 'resolved' }, { state: 'denied' }, { state: 'denied' }])).toBe('1 resolved, 2 denied');
  expect(summary([{ state: 'denied' }, { state: 'denied' }], true)).toBe('2 denied');
});
