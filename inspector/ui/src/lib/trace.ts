// The tree of runs that dotted orders tell of: each is the way from the trace's root to the run, and each step of it
// <start>Z<id>.
import type { Run } from './api';

export interface TraceNode {
  id: string;
  /** Null for a run that others name as their ancestor but that the payload does not have. */
  run: Run | null;
  depth: number;
  /** Percent of the trace's time; null where a time is missing. */
  bar: { left: number; width: number } | null;
}

export interface Trace {
  id: string;
  /** Depth first, children in the order of their start. */
  nodes: TraceNode[];
}

interface Building {
  id: string;
  order: string;
  run: Run | null;
  children: Building[];
}

const step = /^\d{8}T\d{6,12}Z([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/;

/** The ids on the way to a run, or undefined when the text is no dotted order. */
export function wayOf(order: string): string[] | undefined {
  const ids = order.split('.').map((s) => step.exec(s)?.[1]?.toLowerCase());
  return ids.some((id) => id === undefined) ? undefined : (ids as string[]);
}

/** The traces of runs that have a dotted order, where there is more to see than a list has: a run below another. */
export function tracesOf(runs: readonly Run[]): Trace[] {
  const roots = new Map<string, Building>();
  for (const run of runs) {
    const way = wayOf(run.dotted_order);
    if (way) plant(roots, way, run);
  }
  return [...roots.values()].filter((root) => root.children.length > 0).map(traceOf);
}

function plant(roots: Map<string, Building>, way: string[], run: Run): void {
  const orders = run.dotted_order.split('.');
  const of = (i: number): Building => ({ id: way[i] ?? '', order: orders.slice(0, i + 1).join('.'), run: null, children: [] });
  const rootId = way[0] ?? '';
  let node = roots.get(rootId);
  if (!node) roots.set(rootId, (node = of(0)));
  for (let i = 1; i < way.length; i++) {
    let child: Building | undefined = node.children.find((c) => c.id === way[i]);
    if (!child) node.children.push((child = of(i)));
    node = child;
  }
  node.run ??= run;
}

function traceOf(root: Building): Trace {
  const nodes: TraceNode[] = [];
  const times: number[] = [];
  const visit = (b: Building, depth: number) => {
    const [start, end] = spanOf(b.run);
    if (start !== null) times.push(start);
    if (end !== null) times.push(end);
    nodes.push({ id: b.id, run: b.run, depth, bar: null });
    b.children.sort((x, y) => (x.order < y.order ? -1 : 1));
    for (const child of b.children) visit(child, depth + 1);
  };
  visit(root, 0);
  const from = Math.min(...times);
  const whole = Math.max(...times) - from;
  for (const node of nodes) {
    const [start, end] = spanOf(node.run);
    if (start === null || end === null || !(whole > 0) || end < start) continue;
    const percent = (ms: number) => Math.round((ms / whole) * 1e4) / 100;
    node.bar = { left: percent(start - from), width: percent(end - start) };
  }
  return { id: root.id, nodes };
}

function spanOf(run: Run | null): [number | null, number | null] {
  return run ? [timeOf(run.start_time), timeOf(run.end_time)] : [null, null];
}

/** Times inside of runs have no zone and are UTC. */
function timeOf(text: string): number | null {
  const at = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : text + 'Z');
  return Number.isNaN(at) ? null : at;
}
