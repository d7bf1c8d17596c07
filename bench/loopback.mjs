// Preloaded into foreign programs that cannot be told where to listen: everything they open is on loopback.
import { Server } from 'node:net';

const listen = Server.prototype.listen;
Server.prototype.listen = function listenOnLoopback(...args) {
  const [first, second] = args;
  if (typeof first === 'object' && first !== null && 'port' in first) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...args.slice(1));
  }
  if (Number.isInteger(Number(first))) {
    const rest = typeof second === 'string' ? args.slice(2) : args.slice(1);
    return listen.call(this, first, '127.0.0.1', ...rest);
  }
  return listen.apply(this, args);
};
