// Ready-made commands that send one webhook to a URL. Every value is quoted for its language.

export interface Sender {
  id: string;
  name: string;
  /** What it needs, where that is not obvious. */
  note?: string;
  code(url: string): string;
}

const sample = { hello: 'from your sender', id: 'evt_1' };
const body = JSON.stringify(sample);

/** For POSIX shells: everything in single quotes is literal. */
export function sh(text: string): string {
  return /^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** For PowerShell, where a quote in a single-quoted string is doubled; it takes typographic quotes as quotes too. */
export function pwsh(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, (q) => q + q)}'`;
}

/** A double-quoted literal of JavaScript, Python and Go alike. */
export function literal(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

/** A Go literal: UTF-16 surrogate escapes are not allowed there. */
export function goLiteral(text: string): string {
  return JSON.stringify(text).replace(/[\ud800-\udbff][\udc00-\udfff]|[\u007f-\uffff]/g, (c) => {
    const code = c.codePointAt(0) ?? 0xfffd;
    return code > 0xffff ? '\\U' + code.toString(16).padStart(8, '0') : '\\u' + code.toString(16).padStart(4, '0');
  });
}

export const senders: Sender[] = [
  {
    id: 'curl',
    name: 'curl',
    code: (url) => `curl -i -X POST ${sh(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${sh(body)}`,
  },
  {
    id: 'httpie',
    name: 'HTTPie',
    code: (url) => `http --verbose POST ${sh(url)} \\\n  hello='from your sender' id=evt_1`,
  },
  {
    id: 'node',
    name: 'Node',
    note: 'Node 18 or newer',
    code: (url) =>
      `const response = await fetch(${literal(url)}, {\n  method: "POST",\n  headers: { "Content-Type": "application/json" },\n` +
      `  body: JSON.stringify({ hello: "from your sender", id: "evt_1" }),\n});\nconsole.log(response.status, await response.text());`,
  },
  {
    id: 'requests',
    name: 'requests',
    note: 'Python, pip install requests',
    code: (url) =>
      `import requests\n\nresponse = requests.post(\n    ${literal(url)},\n    json={"hello": "from your sender", "id": "evt_1"},\n` +
      `    timeout=10,\n)\nprint(response.status_code, response.text)`,
  },
  {
    id: 'httpx',
    name: 'httpx',
    note: 'Python, pip install httpx',
    code: (url) =>
      `import httpx\n\nresponse = httpx.post(\n    ${literal(url)},\n    json={"hello": "from your sender", "id": "evt_1"},\n` +
      `    timeout=10,\n)\nprint(response.status_code, response.text)`,
  },
  {
    id: 'go',
    name: 'Go',
    code: (url) =>
      `package main\n\nimport (\n\t"fmt"\n\t"log"\n\t"net/http"\n\t"strings"\n)\n\nfunc main() {\n` +
      `\tbody := strings.NewReader(${goLiteral(body)})\n\tresponse, err := http.Post(${goLiteral(url)}, "application/json", body)\n` +
      `\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tdefer response.Body.Close()\n\tfmt.Println(response.Status)\n}`,
  },
  {
    id: 'pwsh',
    name: 'PowerShell',
    code: (url) =>
      `Invoke-WebRequest -Method Post -Uri ${pwsh(url)} \`\n  -ContentType 'application/json' \`\n  -Body ${pwsh(body)}`,
  },
];

/** The settings of an Agent Server that may call a loopback address, for langgraph.json. */
export const agentServerConfig = JSON.stringify({ webhooks: { url: { disable_loopback: false } } }, null, 2);

export function agentServerCall(url: string): string {
  const run = JSON.stringify({ assistant_id: 'agent', input: { messages: [{ role: 'user', content: 'hello' }] }, webhook: url });
  return `curl -X POST http://127.0.0.1:2024/runs/wait \\\n  -H 'Content-Type: application/json' \\\n  -d ${sh(run)}`;
}

/** Whether a URL reaches only this machine: a sender elsewhere cannot use it. */
export function isLoopback(url: string): boolean {
  try {
    const host = new URL(url).hostname;
    return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || host.startsWith('127.');
  } catch {
    return false;
  }
}

export const mask = '•••';

/** A secret stands in the URL where its parameter's value is; shown masked unless asked for. */
export function maskUrl(url: string, secrets: (string | undefined)[]): string {
  let out = url;
  for (const secret of secrets) {
    if (!secret || secret === mask) continue;
    out = out.replaceAll(encodeURIComponent(secret), mask).replaceAll(secret, mask);
  }
  return out;
}
