// Reading header values: one of the wrong size is absent (openziti/channel message.go, Headers).

import type { Frame } from './frame.ts';

function sized(frame: Frame, key: number, bytes: number): Buffer | undefined {
  const value = frame.headers.get(key);
  return value?.length === bytes ? value : undefined;
}

export const u32 = (frame: Frame, key: number): number | undefined => sized(frame, key, 4)?.readUInt32LE();
export const u16 = (frame: Frame, key: number): number | undefined => sized(frame, key, 2)?.readUInt16LE();
export const u64 = (frame: Frame, key: number): bigint | undefined => sized(frame, key, 8)?.readBigUInt64LE();
export const flag = (frame: Frame, key: number): boolean => sized(frame, key, 1)?.[0] === 1;
export const text = (frame: Frame, key: number): string => frame.headers.get(key)?.toString() ?? '';
