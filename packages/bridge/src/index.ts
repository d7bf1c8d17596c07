// The public names of @mcp-overlay/bridge, one by one.
export {};
