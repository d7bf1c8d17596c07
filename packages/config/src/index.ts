// The public names of @mcp-overlay/config, one by one.
export {};
