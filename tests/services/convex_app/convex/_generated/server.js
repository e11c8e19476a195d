export { httpActionGeneric as httpAction, internalMutationGeneric as internalMutation } from "convex/server";
