// Messages of an agent's state, as a conversation. Both LangChain's own form and {role, content} are read.
import { isRecord, stringify } from './json';

export interface ChatMessage {
  role: string;
  text: string;
  /** Calls of tools that the message asks for: name and arguments. */
  calls: { name: string; args: unknown }[];
  name: string;
}

export function messagesOf(values: unknown): ChatMessage[] {
  const list = isRecord(values) ? values['messages'] : undefined;
  if (!Array.isArray(list)) return [];
  const out: ChatMessage[] = [];
  for (const entry of list) {
    if (!isRecord(entry)) return [];
    const data = isRecord(entry['data']) ? entry['data'] : isRecord(entry['kwargs']) ? entry['kwargs'] : entry;
    out.push({ role: roleOf(entry, data), text: textOf(data['content']), calls: callsOf(data), name: str(data['name']) });
  }
  return out;
}

function roleOf(entry: Record<string, unknown>, data: Record<string, unknown>): string {
  const id = entry['id'];
  const type = Array.isArray(id) ? str(id[id.length - 1]).replace(/Message(Chunk)?$/, '').toLowerCase() : '';
  const role = type || str(data['role']) || str(data['type']) || str(entry['type']);
  return ({ human: 'user', ai: 'assistant' } as Record<string, string>)[role] ?? (role || 'message');
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content)) return stringify(content);
  return content
    .map((part) => (typeof part === 'string' ? part : isRecord(part) && typeof part['text'] === 'string' ? part['text'] : stringify(part)))
    .join('\n');
}

function callsOf(data: Record<string, unknown>): ChatMessage['calls'] {
  const calls = data['tool_calls'];
  if (!Array.isArray(calls)) return [];
  return calls.filter(isRecord).map((c) => {
    const made = isRecord(c['function']) ? c['function'] : c;
    return { name: str(made['name']), args: made['args'] ?? made['arguments'] };
  });
}

const str = (value: unknown) => (typeof value === 'string' ? value : '');
