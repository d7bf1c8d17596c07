// Numbers of the edge protocol (openziti/sdk-golang pb/edge_client_pb/edge_client.proto: ContentType, HeaderId, Flag).
// Types and headers of the channel itself are in ../channel/content-types.ts.

export const EDGE_TYPES = {
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

export const EDGE_HEADERS = {
  /** bytes, in Data: travels to the other end. */
  uuid: 128,
  /** u32: which connection or bind. 0 is legal. */
  connId: 1000,
  /** 32 bytes: X25519 key for the end-to-end encryption. */
  publicKey: 1003,
  /** u16. */
  cost: 1004,
  /** u8, see PRECEDENCES. */
  precedence: 1005,
  /** string: which instance is wanted, or the name of this one. */
  terminatorIdentity: 1006,
  /** string: who calls, as the caller says. */
  callerId: 1008,
  /** u8 0 by Go, text `libsodium` by C; absent means the same. */
  cryptoMethod: 1009,
  /** u32, see FLAGS. */
  flags: 1010,
  /** bytes, from the dialer to the host. */
  appData: 1011,
  /** bool in Bind and its answer, u32 in Dial. */
  routerProvidedConnId: 1012,
  /** u32, in StateClosed of routers from 2.0 on. */
  errorCode: 1014,
  /** u64, u32: TraceRoute. */
  timestamp: 1015,
  traceHopCount: 1016,
  traceHopType: 1017,
  traceHopId: 1018,
  traceSourceRequestId: 1019,
  /** bytes: unguessable name of a listener, the same at all routers. */
  listenerId: 1021,
  /** u8, see CONN_TYPES. */
  connType: 1022,
  supportsInspect: 1023,
  supportsBindSuccess: 1024,
  connectionMarker: 1025,
  circuitId: 1026,
  /** bool: flow control by the SDK, which we do not speak. */
  useXgressToSdk: 1028,
  /** JSON, in StateClosed of routers from 2.0 on. */
  structuredError: 1033,
  /** strings, in Dial of routers from 2.0 on: set by the router, not by the caller. */
  dialerIdentityId: 1034,
  dialerIdentityName: 1035,
} as const;

export const FLAGS = {
  /** The sender sends no more. */
  fin: 1,
  /** This frame holds several messages with lengths. Nobody may send it to us, for we never set the flag that allows it. */
  multipartMessage: 16,
} as const;

export const CONN_TYPES = { invalid: 0, dial: 1, bind: 2 } as const;

export const PRECEDENCES = { default: 0, required: 1, failed: 2 } as const;
export type Precedence = keyof typeof PRECEDENCES;
