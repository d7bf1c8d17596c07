// The numbers of the wire that a router reads and writes (openziti/channel message.go and messages.go; openziti/sdk-golang
// pb/edge_client_pb/edge_client.proto). Written apart from the client's own tables on purpose: two readings check each other.

export const T = {
  hello: 0,
  ping: 1,
  result: 2,
  latency: 3,
  connect: 60783,
  stateConnected: 60784,
  stateClosed: 60785,
  data: 60786,
  dial: 60787,
  dialSuccess: 60788,
  dialFailed: 60789,
  bind: 60790,
  unbind: 60791,
  updateBind: 60794,
  healthEvent: 60795,
  traceRoute: 60796,
  traceRouteResponse: 60797,
  connInspectRequest: 60798,
  connInspectResponse: 60799,
  bindSuccess: 60800,
  updateTokenSuccess: 60801,
  updateTokenFailure: 60802,
  updateToken: 60803,
  inspectRequest: 60804,
  inspectResponse: 60805,
} as const;

export const H = {
  channelId: 0,
  replyFor: 1,
  success: 2,
  version: 4,
  routerId: 8,
  reflected: 128,
  connId: 1000,
  seq: 1001,
  token: 1002,
  publicKey: 1003,
  cost: 1004,
  precedence: 1005,
  instance: 1006,
  callerId: 1008,
  flags: 1010,
  appData: 1011,
  routerProvidedConnId: 1012,
  errorCode: 1014,
  timestamp: 1015,
  hopCount: 1016,
  hopType: 1017,
  hopId: 1018,
  sourceRequestId: 1019,
  listenerId: 1021,
  connType: 1022,
  supportsInspect: 1023,
  supportsBindSuccess: 1024,
  marker: 1025,
  circuitId: 1026,
  supportsPostureChecks: 1032,
  dialerId: 1034,
  dialerName: 1035,
  /** Seen in every StateConnected of a dial, always 0. */
  seen1101: 1101,
} as const;

export type HeaderValue = Uint8Array | string | number | boolean | bigint;

/** number: uint32 or, below 0, int32; bigint: uint64; all little-endian. */
export function headerBytes(value: HeaderValue): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0);
  if (typeof value === 'bigint') {
    const wide = Buffer.alloc(8);
    wide.writeBigUInt64LE(value);
    return wide;
  }
  if (typeof value !== 'number') return Buffer.from(value);
  const bytes = Buffer.alloc(4);
  if (value < 0) bytes.writeInt32LE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}
