// The package's exports.
export {
  ATTACHMENT_MOST,
  ATTACHMENTS_MOST,
  createClient,
  mintId,
  type AuditQuery,
  type CallOptions,
  type Client,
  type ClientOptions,
  type MessageToSend,
  type Page,
  type SendOptions,
  type SessionQuery,
} from "./client.js";
export { createDrafts, Drafts, DRAFTS_MOST, type Draft, type DraftsOptions, type DraftStorage } from "./drafts.js";
export { AsterError } from "./errors.js";
export { follow, type Clock, type Feed, type FollowOptions, type Link } from "./feed.js";
export {
  hostOf,
  hostTransport,
  SOCKET_URL,
  type AsterHost,
  type EngineStatus,
  type HostFile,
  type HostRuntimeInfo,
  type HostSocketEvent,
  type HostWire,
} from "./host.js";
export { httpTransport, type HttpOptions } from "./http.js";
export { createParser, type Frame } from "./sse.js";
export { approvalsOf, isOn, openTurns, questionsOf } from "./state.js";
export type {
  Agent,
  Answered,
  AnsweredQuestion,
  Attachment,
  Connection,
  Field,
  History,
  Immutable,
  LiveCall,
  LiveTurn,
  McpServer,
  Message,
  NotificationEntry,
  Part,
  Question,
  ServiceEntry,
  Session,
  StoreState,
  ToolPart,
  Turn,
} from "./state.js";
export { createStore, Store, type StoreOptions } from "./store.js";
export type { Answer, StreamListener, StreamQuery, Transport, UploadOptions } from "./transport.js";
export type * from "./types.js";
export { EVENT_TYPES } from "./wire.js";
export type { components, paths } from "./wire.js";
