// Types of the REST interface, and one function to call it.
import type { components } from './schema.gen';

type Schemas = components['schemas'];

/** With everything in it: requests may leave settings out, answers never do. */
type Whole<T> = T extends object ? { [K in keyof T]-?: Whole<T[K]> } : T;

export type Class = Schemas['Class'];
export type Pair = Schemas['Pair'];
export type Plan = Schemas['Plan'];
export type Outcome = Schemas['Outcome'];
export type Problem = Schemas['PayloadProblem'];
export type Payload = Schemas['Payload'];
export type Run = Schemas['Run'];
export type Rule = NonNullable<Payload['rule']>;
export type AgentRun = NonNullable<Payload['run']>;
export type Resolved = Schemas['Resolved'];
export type Capture = Schemas['Capture'];
export type CaptureList = Schemas['Captures'];
export type Signature = Schemas['Signature'];
export type Delivery = Schemas['Delivery'];
export type Connection = Schemas['Connection'];
export type ConnectionList = Schemas['Connections'];
export type Note = Schemas['Note'];
export type Policy = Schemas['Policy'];
export type Replay = Whole<Schemas['Replay']>;
export type ReplayResult = Omit<Schemas['ReplayResult'], 'replays'> & { replays: Replay[] };
export type Info = Schemas['Info'];
export type Endpoint = Whole<Schemas['Endpoint']>;
/** A condition of a rule, while it may still be edited into one that the server takes. */
export interface Matcher {
  part: string;
  name: string;
  op: string;
  value: string;
}
export interface AnswerRule {
  name: string;
  off: boolean;
  match: Matcher[];
  respond: string;
}
export type DryRun = Whole<Schemas['DryRun']>;
export type Preset = Whole<Schemas['Presets']>['presets'][number];
export type Imported = Whole<Schemas['Imported']>;
export type Example = Imported['examples'][number];
export type Quota = Endpoint['retention'][Class];

interface FactBase {
  type: 'fact';
  seq: number;
  endpoint: string;
}

/** A message of the live feed, with what its kind has. */
export type Fact =
  | (FactBase & { fact: 'arrival'; capture: Capture })
  | (FactBase & { fact: 'outcome'; of: number; outcome: Outcome })
  | (FactBase & { fact: 'resolved'; of: number; object: Resolved })
  | (FactBase & { fact: 'note'; of: number; note: Note })
  | (FactBase & { fact: 'deletion'; deletion: Schemas['Deletion'] })
  | (FactBase & { fact: 'connection'; connection: Connection })
  | (FactBase & { fact: 'replay'; of: number; replay: Replay });

/** What the server refused and why: an RFC 9457 problem, or a plain failure to reach it (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = '',
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

const base = '/api/v1';

export interface Client {
  token(): string;
  /** Called when the server no longer accepts the token. */
  refused(): void;
}

interface Call {
  method?: string;
  query?: Record<string, string | number | boolean | undefined>;
  json?: unknown;
  signal?: AbortSignal;
}

/** Path segments, each escaped. */
export function path(...segments: (string | number)[]): string {
  return segments.map((s) => '/' + encodeURIComponent(String(s))).join('');
}

export function createApi(client: Client, send: typeof fetch = (...a) => fetch(...a)) {
  async function request(route: string, call: Call): Promise<Response> {
    const url = base + route + queryString(call.query);
    const headers: Record<string, string> = { Authorization: `Bearer ${client.token()}` };
    const init: RequestInit = { method: call.method ?? 'GET', headers, cache: 'no-store', credentials: 'omit' };
    if (call.json !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(call.json);
    }
    if (call.signal) init.signal = call.signal;
    let response: Response;
    try {
      response = await send(url, init);
    } catch (cause) {
      if (call.signal?.aborted) throw cause;
      throw new ApiError(0, 'The server cannot be reached.');
    }
    if (response.ok) return response;
    if (response.status === 401) client.refused();
    throw await problemOf(response);
  }

  return {
    async json<T>(route: string, call: Call = {}): Promise<T> {
      return (await (await request(route, call)).json()) as T;
    },
    async none(route: string, call: Call = {}): Promise<void> {
      await request(route, call);
    },
    response: request,
  };
}

export type Api = ReturnType<typeof createApi>;

function queryString(query: Call['query']): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '' && value !== false) params.set(name, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : '?' + text;
}

async function problemOf(response: Response): Promise<ApiError> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim() + '.';
  try {
    const body = (await response.json()) as { title?: string; detail?: string; code?: string };
    return new ApiError(response.status, body.detail || body.title || fallback, body.code ?? '');
  } catch {
    return new ApiError(response.status, fallback);
  }
}
