// Stage: params that have a key twice are refused. What is judged and recorded is one reading of them, and a server may have
// the other.

import { hasTwins } from '@mcp-overlay/relay';
import type { Call } from './call.ts';
import { deny } from './denial.ts';
import type { Stage } from './stage.ts';

export const TWINS = 'params have the same key twice: readers do not agree which of them counts';

export const oneReading: Stage<Call> = (next) => async (call) =>
  hasTwins(call.message, call.params) ? deny('invalid_params', TWINS) : next(call);
