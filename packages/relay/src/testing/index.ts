// Fakes that belong to the relay contracts.

export { type LinkedOptions, type LinkedTransport, linkedTransports } from './linked.ts';
export { MemoryLedgerFiles } from './memory-ledger-files.ts';
export {
  type Act,
  type Garbage,
  processesWith,
  type ScriptedServer,
  type ServerScript,
  scriptedServer,
  untilNoneWith,
} from './scripted-server.ts';
