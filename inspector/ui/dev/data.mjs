// Captures for the mock: what LangSmith, Agent Servers and others send, and what they should not.
export const captures = [];
export const bodies = new Map();
export const objects = new Map();

const secret = '38ee77617c3a489ab6e871fbeb2ec87d';
const quota = { count: 0, age_ms: 0, bytes: 0 };
const endpoint = (name, respond, param = 'secret') => ({
  name, url: `http://127.0.0.1:8080/hooks/${name}?${param}=${secret}`, secret, previous_secret: '', scheme: 'query', param, header: '', prefix: '',
  encoding: 'hex', hash: 'sha256', tolerance_ms: 300000, expect: [], respond,
  refusal: { status: 401, headers: [['WWW-Authenticate', 'Bearer'], ['Content-Type', 'application/json']], body: '{"detail":"Incorrect bearer token"}' },
  fetch: { off: false, hosts: [], private: [], base_url: '', max_bytes: 0 },
  forwards: [],
  retention: { accepted: { ...quota }, rejected: { ...quota }, incomplete: { ...quota }, connections: { count: 0, age_ms: 0 } },
  urls: [{ via: 'shared', url: `http://127.0.0.1:8080/hooks/${name}?${param}=${secret}` }], listener: { kind: 'none', h2: false, port: 0, problem: '' },
  declared: false, created_at: new Date().toISOString(), updated_at: new Date().toISOString(), counts: { accepted: 412, rejected: 9, incomplete: 2 }, last_seq: 0,
});
export const endpoints = new Map([
  ['default', endpoint('default', '503x2 200')],
  ['agent-server', endpoint('agent-server', '200', 'token')],
  ['fresh', endpoint('fresh', '200')],
]);
Object.assign(endpoints.get('fresh'), { counts: {} });

const uuid = (n) => `01a200b7-dc91-7509-a774-${String(n).padStart(12, '0')}`;
const run = (index, over = {}) => ({
  index, id: uuid(1000 + index), name: 'ChatOpenAI', type: 'llm', status: 'success', error: '', trace_id: uuid(7), dotted_order: '', app_path: '/o/2ebda79f/projects/p/6a3be6a2/r/6ab80f10',
  session: '6a3be6a2-9a8c-4fc8-b4c6-a8983b286cc5', start_time: '', end_time: '', latency_ms: 1843.2, total_tokens: 1532, total_cost: '0.0034', inputs: { question: 'Where is the webhook?', k: 4 },
  outputs: { answer: 'It has arrived.', sources: ['a', 'b'] }, feedback: { user_score: { n: 2, avg: 0.5, values: {} } }, ...over,
});
const object = (name, state, over = {}) => ({
  seq: 0, capture: 0, name, url: 'https://bucket.s3.amazonaws.com/x?X-Amz-Signature=•••', state, status: state, http_status: 200, code: '', message: '', size: 48211, sha256: '', content_type: 'application/json',
  tries: 1, expires_at: new Date(Date.now() + 52 * 60000).toISOString(), next_try_at: null, done_at: null, ...over,
});
objects.set('runs.0.inputs', JSON.stringify({ messages: [['system', 'You answer questions about webhooks.'], ['human', 'Where is it?']], temperature: 0.20, id: 12345678901234567890n.toString() }));

function rule() {
  const runs = [
    run(0, { name: 'Search', type: 'tool', inputs: null, outputs: null, latency_ms: 412, total_tokens: 0, total_cost: '' }),
    run(1), run(2, { name: 'ParseAnswer', type: 'parser', status: 'error', error: 'OutputParserException: Could not parse LLM output', outputs: null, latency_ms: 3.1, total_tokens: null, total_cost: '', feedback: null }),
  ];
  const stats = { about_langchain: { n: 1, avg: 0.0, show_feedback_arrow: true, values: {} }, category: { n: 0, avg: null, values: { CONCEPTUAL: 1, HOW_TO: 4 } }, user_score: { n: 2, avg: 0.75, values: {} } };
  const body = JSON.stringify({ rule_id: 'd75d7417-0c57-4655-88fe-1db3cda3a47a', start_time: '2026-11-22T01:28:54.734491+00:00', end_time: '2026-11-22T01:28:56.492563+00:00', runs, feedback_stats: stats });
  return {
    body, type: 'application/json', agent: 'python-httpx/0.27.0',
    payload: {
      kind: 'langsmith-rule', variant: '', title: 'rule d75d7417 · 3 runs · Search', snippet: 'Search success, ChatOpenAI success, ParseAnswer error: OutputParserException', problems: [],
      rule: { id: 'd75d7417-0c57-4655-88fe-1db3cda3a47a', start: '2026-11-22T01:28:54.734491+00:00', end: '2026-11-22T01:28:56.492563+00:00', run_count: 3, feedback: stats }, runs,
    },
    resolved: [object('runs.0.inputs', 'resolved'), object('runs.0.outputs', 'denied', { http_status: 403, code: 'AccessDenied', message: 'The object store refused the URL.' })],
  };
}

function agentRun() {
  const values = { messages: [{ type: 'human', content: 'What is the weather in Berlin?' }, { type: 'ai', content: '', tool_calls: [{ name: 'get_weather', args: { city: 'Berlin', unit: 'C' } }] }, { type: 'tool', name: 'get_weather', content: '7 °C, light rain' }, { type: 'ai', content: 'It is 7 °C in Berlin, with light rain. Take an umbrella.' }], turn: 3 };
  const r = {
    run_id: uuid(1), thread_id: uuid(2), assistant_id: 'fe096781-5601-53d2-b2f6-0d3403f7e9ca', graph_id: 'agent', status: 'success', error: '', created_at: '2026-11-22T00:46:19.282Z', started_at: '2026-11-22T00:46:19.360Z',
    ended_at: '2026-11-22T00:46:19.775Z', sent_at: '2026-11-22T00:46:19.777Z', duration_ms: 415, multitask: 'reject', values, kwargs: { input: { messages: [] }, webhook: 'http://127.0.0.1:8080/hooks/default?secret=•••' }, metadata: { created_by: 'system', graph_id: 'agent' },
  };
  return {
    body: JSON.stringify({ ...r, values }), type: 'text/plain;charset=UTF-8', agent: 'node',
    payload: { kind: 'agent-server-run', variant: 'js', title: 'run success · agent', snippet: 'It is 7 °C in Berlin, with light rain. Take an umbrella.', problems: [{ code: 'content_type', path: '', message: 'The body is JSON, but was sent as text/plain;charset=UTF-8.' }], run: r },
    resolved: [],
  };
}

function generic(i) {
  const value = { type: 'order.created', id: `evt_${i}`, data: { total: 4999, big: 1, currency: 'eur', note: 'user\u202egnp.exe', html: '<img src=x onerror=alert(1)>', list: Array.from({ length: 30 }, (_, k) => k) } };
  const body = JSON.stringify(value).replace('"big":1', '"big":12345678901234567890');
  return { body, type: 'application/json', agent: 'Stripe/1.0', payload: { kind: 'json', variant: '', title: 'order.created evt_' + i, snippet: body.slice(0, 140), problems: [] }, resolved: [] };
}

const form = () => ({ body: 'name=Ada+Lovelace&note=%E2%9C%93', type: 'application/x-www-form-urlencoded', agent: 'curl/8.5.0', payload: { kind: 'form', variant: '', title: 'form · 2 fields', snippet: 'name=Ada Lovelace', problems: [] }, resolved: [] });
const binary = () => ({ body: Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)), type: 'application/octet-stream', agent: 'curl/8.5.0', payload: { kind: 'binary', variant: '', title: 'binary · 5.0 kB', snippet: '', problems: [] }, resolved: [] });
const hostile = () => {
  const text = '\u001b[31m\u202e<script>alert(1)</script>\u0000 "><svg onload=alert(2)>\r\nSet-Cookie: a=b';
  return { body: text, type: 'text/html', agent: text.slice(0, 20), payload: { kind: 'text', variant: '', title: text, snippet: text, problems: [{ code: 'encoding', path: text, message: text }] }, resolved: [] };
};

const outcome = (status, done, over = {}) => ({ seq: 0, status, fault: '', bytes: 143, first_byte_ms: done - 0.1, done_ms: done, sender_hung_up_ms: null, sender_hung_up_by: '', note: '', ...over });
const plan = (text, step, over = {}) => ({ text, step, status: 200, fault: '', after_ms: 0, for_ms: 0, rate: 0, headers: [], body: '', seed: '0', close: false, ...over });

export function makeCapture(i, rows) {
  const shape = [rule, rule, rule, agentRun, () => generic(i), form, agentRun, hostile, binary, agentRun][i % 10](i);
  const k = i % 10;
  const attempt = k < 3 ? k + 1 : 1;
  const at = new Date(Date.now() - Math.max(0, rows - i) * 7123);
  const rejected = k === 5 || k === 7;
  const cut = k === 8;
  const plans = {
    0: [plan('503', 0, { status: 503 }), outcome(503, 0.8)], 1: [plan('503', 0, { status: 503 }), outcome(503, 0.7)], 2: [plan('200', 1), outcome(200, 0.9)],
    6: [plan('200/after=6s', 0, { after_ms: 6000 }), outcome(0, 5003.2, { bytes: 0, first_byte_ms: null, sender_hung_up_ms: 5003.2, sender_hung_up_by: 'fin' })],
    9: [plan('reset@request', 0, { status: 0, fault: 'reset@request' }), outcome(0, 1.2, { fault: 'reset@request', bytes: 0, first_byte_ms: null })],
  };
  let [p, o] = plans[k] ?? [plan('200', 0), outcome(200, 0.4 + (i % 7) / 10)];
  if (rejected) [p, o] = [plan('401', -1, { status: 401 }), outcome(401, 0.3)];
  if (cut) [p, o] = [plan('413', -1, { status: 413 }), outcome(413, 0.5)];
  const target = `/hooks/default${k === 4 ? '/orders/eu' : ''}?secret=•••${k === 4 ? '&tenant=acme' : ''}`;
  const path = target.split('?')[0];
  const capture = {
    seq: 0, id: uuid(i), endpoint: 'default', received_at: at.toISOString(), class: cut ? 'incomplete' : rejected ? 'rejected' : 'accepted',
    reason: cut ? 'body_cut' : k === 5 ? 'secret_wrong' : rejected ? 'secret_missing' : '', remote_addr: `127.0.0.1:${40000 + (i % 2000)}`, proto: 'HTTP/1.1', tls: null, method: 'POST', target, path,
    query: target.split('?')[1], headers: [['host', '127.0.0.1:8080'], ['content-type', shape.type], ['user-agent', shape.agent], ['accept', '*/*'], ['Accept-Encoding', 'gzip, deflate'], ['content-length', String(shape.body.length)]],
    body_size: Buffer.byteLength(shape.body), body_sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', content_type: shape.type, content_length: cut ? 90000 : null, truncated: cut,
    delivery: k < 3 ? uuid(500 + Math.floor(i / 10)) : uuid(9000 + i), delivery_by: 'rule', attempt, gap_ms: attempt > 1 ? attempt * 2050 : null, plan: p, outcome: null, payload: shape.payload, resolved: shape.resolved.map((r) => ({ ...r, state: 'pending', status: 'pending' })),
  };
  return { capture, outcome: o, body: shape.body, resolved: shape.resolved };
}
