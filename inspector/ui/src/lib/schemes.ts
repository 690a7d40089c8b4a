// The ways in which a sender proves itself.

/** Each scheme with what it says of itself. */
export const schemes = [
  ['query', 'Query parameter: LangSmith rules, Agent Server'],
  ['header', 'Header with the secret'],
  ['hmac', 'Header with an HMAC of the body'],
  ['langsmith', 'X-LangSmith-Signature'],
  ['github', 'X-Hub-Signature-256: GitHub'],
  ['stripe', 'Stripe-Signature'],
  ['slack', 'X-Slack-Signature'],
  ['standard-webhooks', 'Standard Webhooks'],
  ['none', 'None: accept everything'],
] as const;

/** Whether a capture was rejected because its sender did not prove itself. */
export function unproven(reason: string): boolean {
  return /^(secret|signature)_/.test(reason);
}
