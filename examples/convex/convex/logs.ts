import { type Infer, v } from "convex/values";
import { internalMutation } from "./_generated/server";

/**
 * A record as it is kept. Convex wants short names of plain letters in its objects, and what programs log has any names:
 * so inputArgs and extraData are kept as JSON.
 */
export const log = v.object({
  recordId: v.string(),
  correlationId: v.string(),
  timestamp: v.string(),
  level: v.string(),
  logType: v.string(),
  message: v.string(),
  toolName: v.optional(v.string()),
  durationMs: v.optional(v.number()),
  status: v.optional(v.string()),
  inputArgs: v.optional(v.string()),
  outputSummary: v.optional(v.string()),
  errorMessage: v.optional(v.string()),
  module: v.optional(v.string()),
  function: v.optional(v.string()),
  line: v.optional(v.number()),
  threadName: v.optional(v.string()),
  processId: v.optional(v.number()),
  extraData: v.optional(v.string()),
  serverName: v.string(),
  serverVersion: v.string(),
});

export type Log = Infer<typeof log>;

/** Stores records, each once, all of them or none: a mutation is a transaction. */
export const store = internalMutation({
  args: { logs: v.array(log) },
  returns: v.number(),
  handler: async (ctx, { logs }) => {
    let stored = 0;
    for (const each of logs) {
      const there = await ctx.db
        .query("logs")
        .withIndex("by_record", (index) => index.eq("recordId", each.recordId))
        .first();
      if (there === null) {
        await ctx.db.insert("logs", each);
        stored += 1;
      }
    }
    return stored;
  },
});
