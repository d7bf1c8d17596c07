// The public names of @mcp-overlay/ziti, one by one.
export { ZITI_ERROR_CODES, ZitiError, type ZitiErrorCode } from './errors.ts';
