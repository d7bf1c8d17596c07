// One connection to the admin socket, as its host sees it: JSON lines both ways, until one of the two ends it.

import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { withoutSecrets } from '@mcp-overlay/cli';

export type Request = Readonly<Record<string, unknown>>;

export interface Conversation {
  say(value: unknown): void;
  /** What is asked next; undefined: the other end is gone. */
  next(): Promise<Request | undefined>;
  /** Resolves when the other end is gone. */
  readonly over: Promise<void>;
  end(): void;
}

/** Lines that wait to be read; who sends more is no program of ours. */
const MAX_LINES = 16;

export function conversation(socket: Socket): Conversation {
  const lines: string[] = [];
  let wake: () => void = () => {};
  let ended = false;
  socket.on('error', () => socket.destroy());
  const over = new Promise<void>((resolve) => {
    socket.once('close', () => {
      ended = true;
      wake();
      resolve();
    });
  });
  socket.once('end', () => socket.end());
  const reader = createInterface({ input: socket });
  // It repeats errors of its input, and one that nobody hears ends the process.
  reader.on('error', () => {});
  reader.on('line', (line) => {
    if (lines.length >= MAX_LINES) socket.destroy();
    lines.push(line);
    wake();
  });
  return {
    over,
    say: (value) => void socket.write(`${withoutSecrets(JSON.stringify(value))}\n`),
    next: async () => {
      while (lines.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const line = lines.shift();
      return line === undefined ? undefined : requestOf(line);
    },
    end: () => void socket.end(),
  };
}

function requestOf(line: string): Request {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Request) : {};
  } catch {
    return {};
  }
}
