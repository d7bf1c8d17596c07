// The public names of @mcp-overlay/gateway, one by one.
export {};
