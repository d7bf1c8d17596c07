// The server side of one TLS connection over any stream: TCP, or the messages of a WebSocket. Clients show a certificate; who
// they are is decided later, by the token.

import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket } from 'node:tls';

export interface Credentials {
  readonly key: string;
  /** Leaf first. */
  readonly cert: string;
  readonly ca: string;
}

/** One server for each connection: so the stream below is known to whoever has to reset it. TLS 1.2 is for mbed TLS. */
export function acceptTls(raw: Duplex, credentials: Credentials, onSecure: (tls: TLSSocket) => void): void {
  const server = createServer(
    {
      ...credentials,
      ALPNProtocols: ['ziti-edge'],
      minVersion: 'TLSv1.2',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (tls) => {
      // A router insists on a certificate, of whatever authority.
      if (Object.keys(tls.getPeerCertificate()).length === 0) tls.destroy();
      else onSecure(tls);
    },
  );
  server.on('tlsClientError', () => raw.destroy());
  raw.on('error', () => {});
  server.emit('connection', raw);
}
