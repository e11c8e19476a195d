export { anyApi as internal } from "convex/server";
