/** Plans to begin with, in the plan language. */
export const presets: { text: string; says: string }[] = [
  { text: '200', says: 'accept at once' },
  { text: '503x2 200', says: 'fail twice, then accept' },
  { text: '200/after=6s', says: 'slower than LangSmith waits' },
  { text: '429/retry-after=2', says: 'ask to come again in 2 s' },
  { text: '401', says: 'refuse' },
  { text: 'hang', says: 'never answer' },
  { text: 'reset@request', says: 'reset after the request' },
  { text: 'close@request', says: 'close without an answer' },
  { text: 'drip/for=10s', says: 'send the body byte by byte' },
  { text: 'truncate', says: 'promise more than is sent' },
  { text: 'garbage', says: 'answer with something that is not HTTP' },
  { text: 'refuse/for=5s 200', says: 'refuse connections for 5 s, at a port of its own' },
  { text: 'tls-badcert 200', says: 'a bad certificate first, at an HTTPS port of its own' },
  { text: '500/p=0.3 200', says: 'fail now and then' },
];
