// The protocol side of the scripted server: envelope, ids, cancellation, requests of its own; revision 2025-11-25 and
// the `initialize` of those before. What the methods answer stands in ./methods.mjs.

import { createMethods } from './methods.mjs';

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

export class RpcError extends Error {
  constructor(code, message, data) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export function createServer(script, output) {
  const open = new Map();
  const asked = new Map();
  const seen = { client: undefined, protocol: undefined, level: 'debug', notifications: [], subscriptions: new Set() };
  let nextId = 0;

  const server = {
    seen,
    notify: (method, params) => output.message({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }),
    /** Ids are small numbers from 0, as many servers count them. */
    ask(method, params) {
      const id = nextId++;
      output.message({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) });
      return new Promise((resolve) => asked.set(id, resolve));
    },
    log(level, data, logger = script.name ?? 'scripted') {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(seen.level)) return;
      server.notify('notifications/message', { level, logger, data });
    },
    receive(line) {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        output.message({ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'parse error' } });
        return;
      }
      if (message.method === undefined) answered(message);
      else if (message.id === undefined) notified(message);
      else void request(message);
    },
  };
  const methods = createMethods(script, server, output);
  server.changeTools = methods.changeTools;
  server.updateResource = methods.updateResource;

  function answered({ id, result, error }) {
    asked.get(id)?.(error === undefined ? { result } : { error });
    asked.delete(id);
  }

  function notified({ method, params }) {
    if (seen.notifications.length < 1000) seen.notifications.push({ method, params });
    if (method === 'notifications/cancelled') cancelled(params?.requestId, params?.reason);
    else methods.notified(method);
  }

  function cancelled(id, reason) {
    const abort = open.get(id);
    if (abort === undefined || abort.signal.aborted) return;
    methods.cancelled(id, reason);
    abort.abort();
  }

  async function request({ id, method, params = {} }) {
    const unanswered = script.unanswered ?? [];
    if (unanswered.includes(method) || unanswered.includes('*')) return;
    const abort = new AbortController();
    open.set(id, abort);
    const call = { id, signal: abort.signal, token: params._meta?.progressToken, meta: params._meta };
    let answer;
    try {
      answer = { result: await methods.request(method, params, call) };
    } catch (error) {
      answer = {
        error: {
          code: error.code ?? -32603,
          message: error.message,
          ...(error.data === undefined ? {} : { data: error.data }),
        },
      };
    }
    open.delete(id);
    // A cancelled request gets no answer (2025-11-25, basic/utilities/cancellation).
    if (!abort.signal.aborted) output.message({ jsonrpc: '2.0', id, ...answer });
  }

  return server;
}
