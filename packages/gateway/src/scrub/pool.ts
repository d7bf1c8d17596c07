// Two threads for large messages, started when the first one comes. What waits is bounded, in messages and bytes: a message
// that finds no room, or takes too long, counts as not looked through. A thread that fails is replaced.

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SCRUB_LIMITS } from './limits.ts';
import type { Looked } from './look.ts';
import type { Job, WorkerSettings } from './worker.ts';

/** A thread reads the patterns before its first message. */
const START_MS = 10_000;
const WAITING_BYTES = 2 * SCRUB_LIMITS.messageBytes;
const MEMORY_MB = 256;

interface Waiting {
  readonly job: Job;
  readonly done: (looked: Looked) => void;
}

export interface WorkerPool {
  /** Never rejects; `partly` where it was not looked through. */
  look(job: Job): Promise<Looked>;
  close(): Promise<void>;
}

const SKIPPED: Looked = { texts: [], partly: true };

export function openPool(settings: WorkerSettings): WorkerPool {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const ready = new WeakSet<Worker>();
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let closed = false;

  const next = (): void => {
    if (closed || waiting.length === 0) return;
    const worker = idle.pop() ?? (all.size < SCRUB_LIMITS.workers ? start() : undefined);
    const one = worker && waiting.shift();
    if (!worker || !one) return;
    waitingBytes -= one.job.bytes.length;
    run(worker, one);
  };
  const start = (): Worker => {
    const worker = new Worker(workerFile(), {
      workerData: settings,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
      // It is sent what strangers wrote, and needs nothing of ours.
      env: {},
      stdin: false,
    });
    worker.unref();
    // One that ends while it has nothing to do is not asked again.
    worker
      .on('error', () => {})
      .on('exit', () => {
        all.delete(worker);
        if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
      });
    all.add(worker);
    return worker;
  };
  const drop = (worker: Worker): void => {
    all.delete(worker);
    void worker.terminate();
  };
  const run = (worker: Worker, { job, done }: Waiting): void => {
    const end = (looked: Looked, healthy: boolean): void => {
      clearTimeout(timer);
      // Only ours: without listeners of its own a worker hears nothing more.
      worker.off('message', hear).off('error', fail).off('exit', fail);
      if (healthy) idle.push(worker);
      else drop(worker);
      done(looked);
      next();
    };
    const hear = (said: Looked | 'ready'): void => {
      if (said === 'ready') {
        ready.add(worker);
        clearTimeout(timer);
        timer = setTimeout(fail, SCRUB_LIMITS.stuckMs);
      } else end(said, true);
    };
    const fail = (): void => end(SKIPPED, false);
    let timer = setTimeout(fail, ready.has(worker) ? SCRUB_LIMITS.stuckMs : START_MS);
    worker.on('message', hear).on('error', fail).on('exit', fail);
    worker.postMessage(job);
  };
  return {
    look: (job) => {
      const { length } = job.bytes;
      const full = waiting.length >= SCRUB_LIMITS.waiting || waitingBytes + length > WAITING_BYTES;
      if (closed || full) return Promise.resolve(SKIPPED);
      return new Promise((done) => {
        waiting.push({ job, done });
        waitingBytes += length;
        next();
      });
    },
    close: async () => {
      closed = true;
      for (const { done } of waiting.splice(0)) done(SKIPPED);
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

/** Beside the bundle, or what the build made of these sources: a thread cannot run TypeScript. */
const PLACES = ['./', './chunks/', '../../../../dist/chunks/'];

function workerFile(): URL {
  const files = PLACES.map((folder) => new URL(`${folder}scrub-worker.js`, import.meta.url));
  const found = files.find((file) => existsSync(file));
  if (!found) throw new Error('scrub-worker.js is missing: install the package again');
  return found;
}
