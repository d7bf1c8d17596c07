// Preloaded into servers of other people that would listen on every address: they listen on loopback, and say where.

import net from 'node:net';

const { listen } = net.Server.prototype;

net.Server.prototype.listen = function listenOnLoopback(port, ...rest) {
  this.once('listening', () => process.stderr.write(`loopback port ${this.address().port}\n`));
  const callback = rest.find((argument) => typeof argument === 'function');
  return listen.call(this, Number(port), '127.0.0.1', callback);
};
