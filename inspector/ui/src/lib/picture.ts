// What the head of an image file says of it. Images are never rendered here: their decoders are not for a sender's bytes.

export interface Picture {
  format: string;
  width: number;
  height: number;
}

/** The format and size of an image, or undefined when the bytes are none that is known. */
export function pictureOf(data: Uint8Array): Picture | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  try {
    return png(view) ?? gif(view) ?? jpeg(view) ?? webp(view) ?? bmp(view);
  } catch (cause) {
    // The bytes end before the size.
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

function has(view: DataView, at: number, text: string): boolean {
  if (at + text.length > view.byteLength) return false;
  for (let i = 0; i < text.length; i++) if (view.getUint8(at + i) !== text.charCodeAt(i)) return false;
  return true;
}

function png(v: DataView): Picture | undefined {
  return has(v, 0, '\x89PNG\r\n\x1a\n') && has(v, 12, 'IHDR') ? { format: 'PNG', width: v.getUint32(16), height: v.getUint32(20) } : undefined;
}

function gif(v: DataView): Picture | undefined {
  return has(v, 0, 'GIF8') ? { format: 'GIF', width: v.getUint16(6, true), height: v.getUint16(8, true) } : undefined;
}

function bmp(v: DataView): Picture | undefined {
  if (!has(v, 0, 'BM') || v.getUint32(14, true) < 40) return undefined;
  return { format: 'BMP', width: Math.abs(v.getInt32(18, true)), height: Math.abs(v.getInt32(22, true)) };
}

function jpeg(v: DataView): Picture | undefined {
  if (!has(v, 0, '\xff\xd8\xff')) return undefined;
  for (let at = 2; v.getUint8(at) === 0xff; ) {
    const kind = v.getUint8(at + 1);
    // Frames, but not tables of codes.
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
      return { format: 'JPEG', width: v.getUint16(at + 7), height: v.getUint16(at + 5) };
    }
    at += 2 + v.getUint16(at + 2);
  }
  return undefined;
}

function webp(v: DataView): Picture | undefined {
  if (!has(v, 0, 'RIFF') || !has(v, 8, 'WEBP')) return undefined;
  const three = (at: number) => v.getUint16(at, true) + v.getUint8(at + 2) * 0x10000;
  if (has(v, 12, 'VP8X')) return { format: 'WebP', width: three(24) + 1, height: three(27) + 1 };
  if (has(v, 12, 'VP8L')) {
    const bits = v.getUint32(21, true);
    return { format: 'WebP', width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  if (has(v, 12, 'VP8 ')) return { format: 'WebP', width: v.getUint16(26, true) & 0x3fff, height: v.getUint16(28, true) & 0x3fff };
  return undefined;
}
