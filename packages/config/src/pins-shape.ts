// The `pins` keys: what becomes of a definition that nobody approved, and where approvals are kept.

import { compact, type PinsConfig } from './config.ts';
import { choice, field, object, path, type Shape, wrong } from './shape.ts';

const MODES = ['first-use', 'strict', 'off'] as const;
export const pinMode = withOff(choice(MODES));

const settings = object({
  mode: field(
    pinMode,
    'first-use: what is listed for the first time is recorded and shown, what has changed is hidden until mcp-gateway approve; strict: what is new is hidden too; off: all is shown as it comes',
    { default: 'first-use', example: 'strict' },
  ),
  file: field(path(), 'the lock file', {
    default: 'mcp-gateway.lock beside this file; without the key pins, in the state folder',
    example: './mcp-gateway.lock',
  }),
});

/** `pins: strict` means `pins: { mode: strict }`. */
export const pinsShape: Shape<{ readonly mode?: PinsConfig['mode'] | undefined; readonly file?: string | undefined }> =
  {
    ...settings,
    form: `${pinMode.form}, or a mapping`,
    read: (node, spot, reading) => {
      if (node.kind === 'map') return settings.read(node, spot, reading);
      if (node.kind === 'list') return wrong(node, spot, `${pinMode.form}, or a mapping`, reading);
      const mode = pinMode.read(node, spot, reading);
      return mode === undefined ? undefined : { mode };
    },
  };

export function buildPins(raw: {
  readonly mode?: PinsConfig['mode'] | undefined;
  readonly file?: string | undefined;
}): PinsConfig {
  return { mode: raw.mode ?? 'first-use', ...compact({ file: raw.file }) };
}

/** YAML 1.1 readers take `off` for false, and so do people. */
function withOff<T extends string>(shape: Shape<T>): Shape<T> {
  return {
    ...shape,
    read: (node, spot, reading) => {
      const off = node.kind === 'scalar' && node.value === false;
      return shape.read(off ? { ...node, value: 'off', text: 'off' } : node, spot, reading);
    },
  };
}
