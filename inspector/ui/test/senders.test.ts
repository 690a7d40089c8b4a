import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { goLiteral, isLoopback, literal, maskUrl, pwsh, senders, sh } from '../src/lib/senders';

const nasty = ["it's", '$(touch x)', '`id`', 'a b', '"q"', '\\', '!x', '\n', "'; rm -rf /; '", 'ü😀', '%0a&b=1'];

test.each(nasty)('a POSIX shell reads %j back', (text) => {
  const out = execFileSync('/bin/sh', ['-c', `printf %s ${sh(text)}`], { encoding: 'utf8' });
  expect(out).toBe(text);
});

test.each(nasty)('JavaScript reads the literal of %j back', (text) => {
  expect(JSON.parse(literal(text))).toBe(text);
  expect(literal(text)).toMatch(/^[\x20-\x7e]*$/);
});

test('PowerShell and Go have their own ways', () => {
  expect(pwsh("it's ’quoted’")).toBe("'it''s ’’quoted’’'");
  expect(goLiteral('ü😀"')).toBe('"\\u00fc\\U0001f600\\""');
});

describe('commands', () => {
  const url = "http://127.0.0.1:8080/hooks/a?secret=x'y&b=$(id)";

  test.each(senders.filter((s) => ['curl', 'httpie'].includes(s.id)))('$name passes the URL as one argument', (sender) => {
    const script = `curl() { for a; do printf '%s\\0' "$a"; done; }; http() { curl "$@"; }; ${sender.code(url)}`;
    const out = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
    expect(out.split('\0')).toContain(url);
  });

  test.each(senders)('$name has the URL', (sender) => expect(sender.code('http://h.test/hooks/a')).toContain('http://h.test/hooks/a'));
});

test('masks a secret as it stands in a URL', () => {
  expect(maskUrl('http://h/hooks/a?secret=a%2Fb', ['a/b'])).toBe('http://h/hooks/a?secret=•••');
  expect(maskUrl('http://h/hooks/a?secret=•••', ['•••', ''])).toBe('http://h/hooks/a?secret=•••');
});

test('tells addresses of this machine', () => {
  expect(['http://127.0.0.1:1/x', 'http://localhost/', 'http://[::1]:8080/'].every(isLoopback)).toBe(true);
  expect(isLoopback('https://hooks.example.com/hooks/a')).toBe(false);
});
