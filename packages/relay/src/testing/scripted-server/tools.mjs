// The tools of the scripted server. Every call is in the ledger before it has an effect; then the script's own acts for
// this call run (`atCall`), then the tool.

import { performActs } from './acts.mjs';
import { CONTENTS } from './catalog.mjs';
import { RpcError } from './server.mjs';

export function createTools(script, server, output, ledger) {
  let calls = 0;
  let count = 0;
  let state = null;

  const acts = (list, call) => performActs(list, { script, server, output, call });

  const tools = {
    env: () => ({ env: process.env, cwd: process.cwd(), argv: process.argv }),
    pid: () => ({ pid: process.pid, parent: process.ppid }),
    counter: () => ({ pid: process.pid, count: ++count }),
    state({ value }) {
      const before = state;
      state = value;
      return { before, pid: process.pid };
    },
    seen: () => ({ ...server.seen, subscriptions: [...server.seen.subscriptions], calls }),
    sleep: ({ ms = 0 }, call) => acts([{ do: 'sleep', ms }], call),
    hang: (_args, call) => acts([{ do: 'hang' }], call),
    ask: ({ method, params }) => server.ask(method, params),
    progress: (args, call) => acts([{ do: 'progress', steps: 3, ...args }], call),
    log: (args, call) => acts([{ do: 'log', ...args }], call),
    act: ({ acts: list = [] }, call) => acts(list, call),
    task: ({ ms = 0 }, call) => acts([{ do: 'sleep', ms }], call),
  };

  /** Results that are more than one JSON text. */
  const whole = {
    big: ({ bytes = 1024 }) => ({ content: [{ type: 'text', text: 'x'.repeat(bytes) }] }),
    fail: ({ message = 'failed' }) => ({ content: [{ type: 'text', text: message }], isError: true }),
    contents: () => ({ content: CONTENTS, _meta: { 'example.com/result': [1, 'two'] } }),
    structured({ value = null }) {
      const structuredContent = { value, at: calls };
      return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
    },
    refuse({ code = -32099, message = 'refused', data }) {
      throw new RpcError(code, message, data);
    },
  };

  async function callTool({ name, arguments: args = {} }, call) {
    calls += 1;
    const n = calls;
    ledger('call', { n, tool: name, nonce: args.nonce ?? null });
    await acts([...(script.atCall?.['*'] ?? []), ...(script.atCall?.[n] ?? [])], call);
    if (Object.hasOwn(whole, name)) return whole[name](args);
    // `echo` and every tool without a deed of its own: what a test needs to find a reply that went astray.
    const told = Object.hasOwn(tools, name) ? await tools[name](args, call) : echo(name, args, call, n);
    return { content: [{ type: 'text', text: JSON.stringify(told ?? null) }] };
  }

  function echo(tool, args, call, n) {
    return {
      tool,
      arguments: args,
      nonce: args.nonce ?? null,
      meta: call.meta ?? null,
      server: script.name ?? 'scripted',
      pid: process.pid,
      n,
    };
  }

  callTool.acts = acts;
  return callTool;
}
