/** Changes a parameter of the page's address in place; an empty value takes it out. */
export function setAddress(name: string, value: string): void {
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(history.state, '', url);
}
