/** What to tell of an error. */
export const said = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
