// The OpenZiti client over the test network: dials, round trips, bulk, many connections, memory. Network, host and client are
// three processes, as in life; the test network is no router of OpenZiti, so its figures compare our own versions only.
// node --import tsx bench/ziti.ts [--quick]

import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseIdentity, type ZitiConnection, ZitiContext } from '../packages/ziti/src/index.ts';
import { startTestNetwork } from '../packages/ziti/src/testing/index.ts';

const MiB = 1024 * 1024;
const [role, ...rest] = process.argv.slice(2);
const quick = role === '--quick' || rest.includes('--quick');

if (role === 'network') await network();
else if (role === 'host') await host();
else await client();

async function network(): Promise<void> {
  const net = await startTestNetwork();
  net.addService('secret');
  net.addService('plain', { encryption: false });
  net.addService('sink');
  net.addService('sink-plain', { encryption: false });
  process.send?.([net.addIdentity('host').json, net.addIdentity('client').json]);
  process.on('disconnect', () => void net.close());
}

/** Echoes; takes all and answers with its hash; or sends as many bytes as the application data of the dial asks for. */
async function host(): Promise<void> {
  const [json] = await once(process, 'message');
  const context = await ZitiContext.open(parseIdentity(json), { sodium: { native: 'never' } });
  const echo = (connection: ZitiConnection) => void connection.pipe(connection);
  for (const service of ['secret', 'plain']) await context.listen(service, { onConnection: echo });
  for (const service of ['sink', 'sink-plain']) await context.listen(service, { onConnection: sink });
  process.send?.('ready');
  process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }));
  process.on('disconnect', () => void context.close());
}

function sink(connection: ZitiConnection): void {
  const bytes = Number(connection.appData ?? 0);
  if (bytes > 0) {
    connection.resume();
    void pour(connection, bytes);
    return;
  }
  const hash = createHash('sha256');
  connection.on('data', (chunk) => hash.update(chunk)).on('end', () => connection.end(hash.digest()));
}

async function pour(connection: ZitiConnection, bytes: number): Promise<string> {
  const chunk = randomBytes(64 * 1024);
  const hash = createHash('sha256');
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    hash.update(chunk);
    if (!connection.write(chunk)) await once(connection, 'drain');
  }
  connection.end();
  return hash.digest('hex');
}

async function client(): Promise<void> {
  const file = fileURLToPath(import.meta.url);
  const [net, hosting] = [fork(file, ['network']), fork(file, ['host'])];
  const [identities] = (await once(net, 'message')) as [[string, string]];
  hosting.send(identities[0]);
  await once(hosting, 'message');
  const context = await ZitiContext.open(parseIdentity(identities[1]), { sodium: { native: 'never' } });
  const begin = performance.now();
  (await context.dial('secret')).destroy();
  row('first dial, with login, TLS and Hello', `${(performance.now() - begin).toFixed(1)} ms`);
  for (const [kind, echo, bulk] of [
    ['encrypted', 'secret', 'sink'],
    ['plain', 'plain', 'sink-plain'],
  ] as const) {
    await dials(context, kind, echo);
    await roundTrips(context, kind, echo);
    await upAndDown(context, hosting, kind, bulk);
    await parallel(context, kind, echo);
  }
  await soak(context, hosting);
  await context.close();
  for (const child of [hosting, net]) {
    child.disconnect();
    await once(child, 'exit');
  }
}

async function dials(context: ZitiContext, kind: string, service: string): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < (quick ? 100 : 500); n += 1) {
    const begin = performance.now();
    const connection = await context.dial(service);
    times.push(performance.now() - begin);
    connection.destroy();
  }
  row(`${kind} dial, warm`, percentiles(times));
}

async function roundTrips(context: ZitiContext, kind: string, service: string): Promise<void> {
  const connection = await context.dial(service);
  const message = randomBytes(200);
  const times: number[] = [];
  for (let n = 0; n < (quick ? 500 : 3000); n += 1) {
    const begin = performance.now();
    connection.write(message);
    for (let bytes = 0; bytes < message.length; ) {
      const chunk = connection.read();
      if (chunk) bytes += chunk.length;
      else await once(connection, 'readable');
    }
    times.push(performance.now() - begin);
  }
  connection.destroy();
  row(`${kind} round trip of 200 B`, percentiles(times));
}

async function upAndDown(context: ZitiContext, hosting: ChildProcess, kind: string, service: string): Promise<void> {
  const bytes = (quick ? 32 : 128) * MiB;
  for (const way of ['up', 'down'] as const) {
    const cpu = process.cpuUsage();
    const atHost = (await ask(hosting)).cpu;
    const begin = performance.now();
    const connection = await context.dial(service, way === 'down' ? { appData: Buffer.from(String(bytes)) } : {});
    if (way === 'up') {
      const sent = pour(connection, bytes);
      const [answer] = await once(connection, 'data');
      if (answer.toString('hex') !== (await sent)) throw new Error('bytes were lost');
    } else {
      let got = 0;
      connection.on('data', (chunk: Buffer) => {
        got += chunk.length;
      });
      await once(connection.end(), 'end');
      if (got < bytes) throw new Error(`${got} of ${bytes} bytes`);
    }
    connection.destroy();
    const seconds = (performance.now() - begin) / 1000;
    const after = (await ask(hosting)).cpu;
    const used = process.cpuUsage(cpu);
    const own = (used.user + used.system) / 1e6;
    const host_ = (after.user + after.system - atHost.user - atHost.system) / 1e6;
    const rate = (bytes / 1e6 / seconds).toFixed(0);
    row(`${kind} ${bytes / MiB} MiB ${way}`, `${rate} MB/s, CPU s client ${own.toFixed(2)}, host ${host_.toFixed(2)}`);
  }
}

async function parallel(context: ZitiContext, kind: string, service: string): Promise<void> {
  const begin = performance.now();
  await Promise.all(Array.from({ length: 200 }, () => echoOnce(context, service, MiB)));
  const seconds = (performance.now() - begin) / 1000;
  row(
    `${kind} 200 × 1 MiB echoed at once`,
    `${seconds.toFixed(2)} s, ${((200 * MiB) / 1e6 / seconds).toFixed(0)} MB/s`,
  );
}

async function soak(context: ZitiContext, hosting: ChildProcess): Promise<void> {
  const total = quick ? 2000 : 10_000;
  for (let done = 0; done <= total; ) {
    await Promise.all(Array.from({ length: 50 }, () => echoOnce(context, 'secret', 2000)));
    done += 50;
    if (done !== 1000 && done % (total / 5) !== 0) continue;
    globalThis.gc?.();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    const mib = (bytes: number): string => (bytes / MiB).toFixed(1);
    const atHost = mib((await ask(hosting)).rss);
    row(
      `after ${done} connections, MiB`,
      `rss ${mib(rss)}, heap ${mib(heapUsed)}, buffers ${mib(arrayBuffers)}, host rss ${atHost}`,
    );
  }
}

async function echoOnce(context: ZitiContext, service: string, bytes: number): Promise<void> {
  const connection = await context.dial(service);
  const payload = randomBytes(bytes);
  const [sent, got] = [createHash('sha256').update(payload).digest('hex'), createHash('sha256')];
  connection.on('data', (chunk) => got.update(chunk)).end(payload);
  await once(connection, 'end');
  if (got.digest('hex') !== sent) throw new Error('bytes were changed');
  if (!connection.closed) await once(connection, 'close');
}

async function ask(child: ChildProcess): Promise<{ cpu: NodeJS.CpuUsage; rss: number }> {
  child.send('figures');
  const [figures] = await once(child, 'message');
  return figures;
}

function percentiles(times: number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function row(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(44)} ${value}\n`);
}
