// The time of day for "3 min ago", moved on once a second while somebody looks.
import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** Now in milliseconds; what reads it in an effect or template follows it. */
export function now(): number {
  subscribe();
  return Date.now();
}
