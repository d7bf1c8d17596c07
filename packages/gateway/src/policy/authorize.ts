// Stage: does a rule let this call through? A permit, not a boolean; what is denied answers like what does not exist.

import type { PermittedCall, RoutedCall } from '../call/call.ts';
import { unknownTarget } from '../call/denial.ts';
import { asString } from '../call/json.ts';
import { permit } from '../call/permit.ts';
import type { Stage } from '../call/stage.ts';
import type { ToolFilter } from './filter.ts';

export function authorize(filters: ReadonlyMap<string, ToolFilter>): Stage<RoutedCall, PermittedCall> {
  return (next) => (call) => {
    if (call.target.kind !== 'tool') return next({ ...call, permit: permit('no rule concerns it') });
    const rule = filters.get(call.backend.id)?.(call.target.name);
    if (rule === undefined) {
      return Promise.resolve(unknownTarget('tool', asString(call.params.name) ?? call.target.name));
    }
    return next({ ...call, permit: permit(rule) });
  };
}
