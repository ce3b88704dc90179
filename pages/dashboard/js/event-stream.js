// Reads one text/event-stream (WHATWG HTML, section 9.2). EventSource sends no Authorization header, so fetch reads it.

import { openStream, Problem } from './api.js';

/** The server sends a heartbeat every 15 s. A stream that is silent for this time is dead. */
export const longestSilence = 40_000;

/** Splits text into messages. A message may arrive in several parts. */
export class Messages {
  constructor() {
    this.rest = '';
  }

  /** The messages that the text completes. */
  feed(text) {
    const blocks = (this.rest + text).split(/\r\n\r\n|\n\n/);
    this.rest = blocks.pop();
    return blocks.map(messageOf).filter((message) => message !== null);
  }
}

// Lines without data are comments, or names that this page does not use.
function messageOf(block) {
  const data = block.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).replace(/^ /, ''));
  return data.length === 0 ? null : JSON.parse(data.join('\n'));
}

/**
 * Calls `hear` with each message until the stream ends, is silent for too long, or `signal` aborts. Throws a Problem if
 * it could not be opened.
 */
export async function readStream(after, signal, hear) {
  const silence = new AbortController();
  let watch = null;
  const listenOn = () => {
    clearTimeout(watch);
    watch = setTimeout(() => silence.abort(), longestSilence);
  };
  listenOn();
  try {
    const response = await openStream(after, AbortSignal.any([signal, silence.signal]));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const messages = new Messages();
    for (;;) {
      const { value, done } = await reader.read();
      if (done || signal.aborted) return;
      listenOn();
      messages.feed(value).forEach(hear);
    }
  } catch (error) {
    // An error of the connection ends the stream like its end. The caller opens another.
    if (error instanceof Problem || error instanceof SyntaxError) throw error;
  } finally {
    clearTimeout(watch);
    // After an unreadable message the connection is still open.
    silence.abort();
  }
}
