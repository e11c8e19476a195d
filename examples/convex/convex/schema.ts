import { defineSchema, defineTable } from "convex/server";
import { log } from "./logs";

export default defineSchema({
  logs: defineTable(log)
    .index("by_record", ["recordId"])
    .index("by_call", ["correlationId"])
    .index("by_time", ["timestamp"])
    .index("by_level", ["level", "timestamp"]),
});
