export interface View {
  /** First and one past the last row to render. */
  first: number;
  last: number;
  /** Distance of the first row from the top, and height of all rows, in pixels. */
  top: number;
  height: number;
}

/** The rows to render of a list with rows of one height, with some more on each side. */
export function windowOf(total: number, rowHeight: number, scrollTop: number, viewport: number, over = 8): View {
  const height = total * rowHeight;
  const at = Math.max(0, Math.min(scrollTop, height - viewport));
  const first = Math.max(0, Math.floor(at / rowHeight) - over);
  const last = Math.min(total, Math.ceil((at + viewport) / rowHeight) + over);
  return { first: Math.min(first, last), last, top: Math.min(first, last) * rowHeight, height };
}

/** The scroll position that shows a row whole, moving as little as possible. */
export function scrollTo(row: number, rowHeight: number, scrollTop: number, viewport: number): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  const bottom = top + rowHeight;
  return bottom > scrollTop + viewport ? bottom - viewport : scrollTop;
}
