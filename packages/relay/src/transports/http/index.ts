// The HTTP transports, apart from the package's index so that only commands that speak HTTP load them.
export { type HttpTransportOptions, httpTransport } from './client.ts';
export { createHttpConnections, type HttpConnections, type HttpConnectionsOptions } from './connections.ts';
export { refuse } from './reply.ts';
export { createHttpSessions, type HttpSessionInfo, type HttpSessions, type HttpSessionsOptions } from './server.ts';
