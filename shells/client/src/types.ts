// The contract's shapes by their names in docs/protocol.md, out of what is generated in wire.ts.
import type { components } from "./wire.js";

type Schemas = components["schemas"];

/** Any event of the stream, told apart by `type`. */
export type AsterEvent = Schemas["Event"];
export type EventType = AsterEvent["type"];
export type EventOf<T extends EventType> = Extract<AsterEvent, { type: T }>;

export type Failure = Schemas["Failure"];
export type Health = Schemas["Health"];
export type ChatRequest = Schemas["ChatRequest"];
export type ChatStarted = Schemas["ChatStarted"];
export type CancelRequest = Schemas["CancelRequest"];
export type Cancelled = Schemas["Cancelled"];
export type ApproveRequest = Schemas["ApproveRequest"];
export type Approved = Schemas["Approved"];
export type ApprovalInfo = Schemas["ApprovalInfo"];
export type Status = Schemas["Status"];
export type State = Status["state"];
export type Usage = Schemas["Usage"];
export type WireMessage = Schemas["Message"];
export type HistoryPage = Schemas["HistoryPage"];
export type HistoryDeleted = Schemas["HistoryDeleted"];
export type ConfigView = Schemas["ConfigView"];
export type ConfigValue = Schemas["ConfigValue"];
export type ConfigPatch = Schemas["ConfigPatch"];
export type AgentInfo = Schemas["AgentInfo"];
export type ToolInfo = Schemas["ToolInfo"];
export type ModelInfo = Schemas["ModelInfo"];
export type SessionInfo = Schemas["SessionInfo"];
export type SessionPage = Schemas["SessionPage"];
export type SessionCreate = Schemas["SessionCreate"];
export type SessionPatch = Schemas["SessionPatch"];
export type SessionDeleted = Schemas["SessionDeleted"];
export type RuleInfo = Schemas["RuleInfo"];
export type RuleCreate = Schemas["RuleCreate"];
export type RuleDeleted = Schemas["RuleDeleted"];
export type CheckRequest = Schemas["CheckRequest"];
export type CheckAnswer = Schemas["CheckAnswer"];
export type ShuttingDown = Schemas["ShuttingDown"];
