// A short sound, made by the browser itself.

let context: AudioContext | undefined;

/** Plays it, as far as the browser lets a page that nobody has touched yet. */
export async function ring(): Promise<void> {
  context ??= new AudioContext();
  if (context.state === 'suspended') await context.resume();
  const now = context.currentTime;
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0.0001, now);
  gain.gain.exponentialRampToValueAtTime(0.12, now + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.0001, now + 0.22);
  const tone = new OscillatorNode(context, { type: 'sine', frequency: 880 });
  tone.connect(gain).connect(context.destination);
  tone.start(now);
  tone.stop(now + 0.24);
}
