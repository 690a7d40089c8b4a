/** A random secret of 32 bytes, in the form that a scheme wants. */
export function randomSecret(scheme: string): string {
  const data = crypto.getRandomValues(new Uint8Array(32));
  if (scheme === 'standard-webhooks') return 'whsec_' + btoa(String.fromCharCode(...data));
  return Array.from(data, (b) => b.toString(16).padStart(2, '0')).join('');
}
