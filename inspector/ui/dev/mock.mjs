// A stand-in for the inspector, to look at the page without the receiver: node dev/mock.mjs [port] [rows].
// It serves dist under the real policy, REST and live feed from memory, and new captures now and then.
// It checks nothing but the token, which is "dev".
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { captures, endpoints, makeCapture, bodies, objects } from './data.mjs';

const port = Number(process.argv[2] ?? 8091);
const rows = Number(process.argv[3] ?? 60);
const pace = Number(process.argv[4] ?? 4000);
const token = 'dev';
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

const facts = [];
const sockets = new Set();
let seq = 0;

function record(fact) {
  const full = { type: 'fact', seq: ++seq, ...fact };
  if (fact.capture) full.capture.seq = seq;
  facts.push(full);
  for (const s of sockets) if (!s.endpoint || s.endpoint === full.endpoint) s.send(full);
  return full;
}

function arrive(i, late) {
  const { capture, outcome, body, resolved } = makeCapture(i, rows);
  record({ fact: 'arrival', endpoint: 'default', capture });
  captures.push(capture);
  bodies.set(capture.seq, body);
  const end = () => {
    const fact = record({ fact: 'outcome', endpoint: 'default', of: capture.seq, outcome });
    capture.outcome = { ...outcome, seq: fact.seq };
    for (const object of resolved) {
      capture.resolved = [...capture.resolved.filter((o) => o.name !== object.name), object];
      record({ fact: 'resolved', endpoint: 'default', of: capture.seq, object });
    }
  };
  if (!outcome) return;
  if (late) setTimeout(end, Math.min(outcome.done_ms, 5000));
  else end();
}
for (let i = 0; i < rows; i++) arrive(i, false);
if (pace > 0) {
  let i = rows;
  setInterval(() => arrive(i++, true), pace);
}

const summary = (c) => ({ ...c, payload: { ...c.payload, rule: undefined, runs: undefined, run: undefined } });
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

function problem(res, status, title, detail) {
  res.writeHead(status, { 'Content-Type': 'application/problem+json' });
  res.end(JSON.stringify({ type: 'about:blank', title, status, detail, code: 'invalid' }));
}

const json = (res, value, status = 200) => {
  res.writeHead(status, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify(value));
};

function list(url, res) {
  const before = Number(url.searchParams.get('before') ?? Infinity) || Infinity;
  const limit = Number(url.searchParams.get('limit') ?? 100);
  const cls = url.searchParams.get('class');
  const q = (url.searchParams.get('q') ?? '').toLowerCase();
  const found = [];
  for (let i = captures.length - 1; i >= 0 && found.length <= limit; i--) {
    const c = captures[i];
    if (c.seq < before && (!cls || c.class === cls) && (!q || JSON.stringify([c.payload.title, c.payload.snippet, c.target]).toLowerCase().includes(q))) found.push(c);
  }
  const page = found.slice(0, limit);
  json(res, { captures: page.map(summary), next: found.length > limit ? page.at(-1).seq : null, complete: true });
}

async function rest(req, res, url) {
  if (req.headers.authorization !== `Bearer ${token}`) return problem(res, 401, 'Token required', 'the bearer token is missing or wrong');
  const [, , , what, name, sub, id, part, more] = url.pathname.split('/').map(decodeURIComponent);
  const reveal = url.searchParams.get('reveal') === 'true';
  let text = '';
  for await (const chunk of req) text += chunk;
  const hide = (e) => (reveal ? e : { ...e, secret: '•••', previous_secret: e.previous_secret && '•••', url: e.url.replace(e.secret, '•••'), urls: e.urls.map((w) => ({ ...w, url: w.url.replace(e.secret, '•••') })) });
  if (what !== 'endpoints') return problem(res, 404, 'No such route', 'there is no such route');
  if (!name) {
    if (req.method === 'GET') return json(res, { endpoints: [...endpoints.values()].map(hide) });
    const made = { ...structuredClone(endpoints.get('default')), ...JSON.parse(text), counts: {}, declared: false };
    if (endpoints.has(made.name)) return problem(res, 409, 'Exists already', `endpoint "${made.name}": exists already`);
    made.url = made.url.replace('/default', '/' + made.name);
    endpoints.set(made.name, made);
    return json(res, made, 201);
  }
  const ep = endpoints.get(name);
  if (!ep) return problem(res, 404, 'Not found', `endpoint "${name}": not found`);
  if (!sub) {
    if (req.method === 'PATCH') {
      const change = JSON.parse(text);
      if (/bogus/.test(change.respond ?? '')) return problem(res, 400, 'Invalid value', 'invalid: respond: step 1: "bogus" is neither a status nor a fault');
      Object.assign(ep, change);
    }
    if (req.method === 'DELETE') return endpoints.delete(name), res.writeHead(204).end();
    return json(res, hide(ep));
  }
  if (sub === 'connections') return json(res, { connections: [], next: null, open: [], shut: '', counted: true, not_counted: '' });
  if (name !== 'default') return sub === 'captures' ? json(res, { captures: [], next: null, complete: true }) : problem(res, 404, 'Not found', 'not found');
  if (sub === 'deliveries') return json(res, { id, endpoint: name, attempts: captures.filter((c) => c.delivery === id).map(summary) });
  if (!id) return list(url, res);
  const c = captures.find((x) => x.seq === Number(id));
  if (!c) return problem(res, 404, 'Not found', `capture ${id}: not found`);
  if (req.method === 'DELETE') {
    captures.splice(captures.indexOf(c), 1);
    record({ fact: 'deletion', endpoint: name, deletion: { captures: [c.seq], class: '', through: 0, endpoint: false, connections: false } });
    return res.writeHead(204).end();
  }
  if (!part) return json(res, c);
  res.writeHead(200, { 'Content-Type': 'application/octet-stream' });
  if (part === 'resolved') return res.end(objects.get(more) ?? '{}');
  const head = `${c.method} ${c.target} HTTP/1.1\r\n${c.headers.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
  if (part === 'raw') res.write(head);
  res.end(bodies.get(c.seq));
}

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://x');
  res.setHeader('Content-Security-Policy', policy);
  try {
    if (url.pathname.startsWith('/api/')) return await rest(req, res, url);
    const file = url.pathname.startsWith('/assets/') ? url.pathname : '/index.html';
    const data = await readFile(new URL('../dist' + file, import.meta.url));
    res.setHeader('Content-Type', types[file.split('.').at(-1)]);
    res.end(data);
  } catch (error) {
    problem(res, 500, 'Error', String(error));
  }
});

server.on('upgrade', (req, socket) => {
  const url = new URL(req.url, 'http://x');
  const accept = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  const client = { endpoint: url.searchParams.get('endpoint'), send: (value) => socket.write(frame(JSON.stringify(value))) };
  socket.once('data', () => {
    client.send({ type: 'ready', last: seq });
    const after = url.searchParams.get('after');
    if (after !== null) facts.filter((f) => f.seq > Number(after)).forEach(client.send);
    sockets.add(client);
  });
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(client));
});

function frame(text) {
  const data = Buffer.from(text);
  const head = data.length < 126 ? Buffer.from([0x81, data.length]) : Buffer.alloc(data.length < 65536 ? 4 : 10);
  if (data.length >= 126) {
    head[0] = 0x81;
    head[1] = data.length < 65536 ? 126 : 127;
    if (data.length < 65536) head.writeUInt16BE(data.length, 2);
    else head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  return Buffer.concat([head, data]);
}

server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/#token=${token}`));
