// Preloaded into programs of other people, which would listen on every address: whatever they open is on loopback, and
// stderr says where, so that they can be given port 0.

import { Server } from 'node:net';

const { listen } = Server.prototype;

Server.prototype.listen = function listenOnLoopback(...args) {
  const [first] = args;
  const options = typeof first === 'object' && first !== null ? first : { port: first };
  // A path or a handle is no network address.
  if (!Number.isInteger(Number(options.port ?? Number.NaN))) return listen.apply(this, args);
  this.once('listening', () => process.stderr.write(`loopback port ${this.address().port}\n`));
  const callback = args.find((arg) => typeof arg === 'function');
  return listen.call(this, { ...options, port: Number(options.port), host: '127.0.0.1', ipv6Only: false }, callback);
};
