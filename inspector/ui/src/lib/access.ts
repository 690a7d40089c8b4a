// Words for tokens, shares and the audit log.
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Token = Schemas['Token'];
export type NewToken = Schemas['NewToken'];
export type Share = Schemas['Share'];
export type NewShare = Schemas['NewShare'];
export type Shared = Schemas['Shared'];
export type Audit = Schemas['Audit'];
export type AuditEntry = Schemas['AuditEntry'];

const hour = 3_600_000;

/** How long something is good for. */
export const lives = [
  { name: '1 hour', ms: hour },
  { name: '1 day', ms: 24 * hour },
  { name: '7 days', ms: 7 * 24 * hour },
  { name: '30 days', ms: 30 * 24 * hour },
];

export const roles = {
  view: 'reads captures; secrets stay masked',
  operate: 'also notes, deletes, sends on, shares, changes answers, runs tests',
  admin: 'also manages endpoints, secrets and tokens, and reads the audit log',
} as const;

/** What is done, by the names of the contract, in words. */
export const actions: Record<string, string> = {
  createEndpoint: 'made an endpoint', replaceEndpoint: 'replaced the settings', changeEndpoint: 'changed the settings', deleteEndpoint: 'deleted the endpoint',
  deleteCaptures: 'deleted captures', deleteCapture: 'deleted a capture', changeNote: 'changed a note', replay: 'sent a capture on',
  replaySome: 'sent captures on', recordReplay: 'sent a capture on from a command', getExport: 'exported captures',
  createShare: 'shared a capture', deleteShare: 'revoked a share', createToken: 'made a token', deleteToken: 'revoked a token',
  startTest: 'started a test run', changeTest: 'paused a test run, or let it go on', deleteTest: 'ended or deleted a test run',
};

/** What was done, in words. */
export function deed(entry: AuditEntry): string {
  return actions[entry.action] ?? (entry.details.some((d) => d.name === 'reveal') ? 'read with secrets shown' : entry.action);
}
