// The public names of @mcp-overlay/tools, one by one.
export {};
