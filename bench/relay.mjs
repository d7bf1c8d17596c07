// One relay of the bare chain: the least that three processes between agent and server must do. Each message is parsed,
// gets an id of this hop, and is written again; with a key it is sealed on its way to the next relay.
// node relay.mjs --from stdio|SOCKET --to SOCKET|-- COMMAND…   [--sealed-from] [--sealed-to]
import { spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { lineReader } from './lines.mjs';

const { values, positionals } = parseArgs({
  options: {
    from: { type: 'string' },
    to: { type: 'string' },
    'sealed-from': { type: 'boolean', default: false },
    'sealed-to': { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

/** Only the cost of sealing matters here, not who knows the key. */
const KEY = Buffer.alloc(32, 7);
const TAG_BYTES = 16;
const HEAD_BYTES = 4;

if (values.from === 'stdio') relay({ input: process.stdin, output: process.stdout });
else {
  createServer({ noDelay: true }, (socket) => relay({ input: socket, output: socket })).listen(values.from, () => {
    process.stdout.write('{"ready":true}\n');
  });
}

function relay(near) {
  const far = openFar();
  const nearSide = side(near, values['sealed-from']);
  const farSide = side(far, values['sealed-to']);
  join(nearSide, farSide);
  join(farSide, nearSide);
  near.input.on('close', () => far.output.end()).on('error', () => far.output.end());
  far.input
    .on('close', () => (near.input === process.stdin ? process.exit(0) : near.output.end()))
    .on('error', () => near.output.end());
}

function openFar() {
  if (values.to) {
    const socket = connect(values.to);
    return { input: socket, output: socket };
  }
  const [command, ...args] = positionals;
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return { input: child.stdout, output: child.stdin };
}

/** Requests of `source` get ids of this hop; answers of `target` get theirs back. */
function join(source, target) {
  source.onMessage((message) => {
    if (message.method !== undefined) {
      if (message.id !== undefined) message.id = target.remember(message.id);
    } else message.id = source.recall(message.id);
    target.send(message);
  });
}

function side({ input, output }, sealed) {
  const ids = new Map();
  let last = 0;
  const write = sealed ? sealer(output) : (text) => output.write(`${text}\n`);
  return {
    onMessage: (deliver) => {
      const parse = (bytes) => deliver(JSON.parse(bytes));
      input.on('data', sealed ? opener(parse) : lineReader(parse));
    },
    send: (message) => write(JSON.stringify(message)),
    remember: (id) => {
      last += 1;
      ids.set(last, id);
      return last;
    },
    recall: (own) => {
      const id = ids.get(own);
      ids.delete(own);
      return id;
    },
  };
}

/** Frame: length of what follows, ciphertext, tag; the nonce counts. */
function sealer(output) {
  const nonce = counter();
  return (text) => {
    const cipher = createCipheriv('chacha20-poly1305', KEY, nonce(), { authTagLength: TAG_BYTES });
    const body = cipher.update(text, 'utf8');
    cipher.final();
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.writeUInt32LE(body.length + TAG_BYTES);
    output.write(Buffer.concat([head, body, cipher.getAuthTag()]));
  };
}

function opener(deliver) {
  const nonce = counter();
  let parts = [];
  let held = 0;
  let wanted = HEAD_BYTES;
  let inBody = false;
  const take = () => {
    const all = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    const taken = all.subarray(0, wanted);
    parts = all.length > wanted ? [all.subarray(wanted)] : [];
    held -= wanted;
    return taken;
  };
  return (chunk) => {
    parts.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const taken = take();
      if (inBody) {
        const decipher = createDecipheriv('chacha20-poly1305', KEY, nonce(), { authTagLength: TAG_BYTES });
        decipher.setAuthTag(taken.subarray(-TAG_BYTES));
        const text = decipher.update(taken.subarray(0, -TAG_BYTES));
        decipher.final();
        deliver(text);
      }
      wanted = inBody ? HEAD_BYTES : taken.readUInt32LE();
      inBody = !inBody;
    }
  };
}

function counter() {
  const nonce = Buffer.alloc(12);
  let count = 0n;
  return () => {
    nonce.writeBigUInt64LE(count, 4);
    count += 1n;
    return nonce;
  };
}
