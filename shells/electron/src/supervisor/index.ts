// The supervisor, which keeps a daemon running. Nothing in this folder imports Electron.
export { findBinary, OVERRIDE, type Binary, type Places } from "./binary.js";
export { call, openSocket, type Answer, type Call, type Content, type Endpoint } from "./connection.js";
export { EngineError, EngineUnavailable, wordsOf, type Problem, type ProblemCode } from "./errors.js";
export { PROTOCOL, type Exit } from "./life.js";
export { Log, type LogEntry } from "./log.js";
export { Redaction } from "./redaction.js";
export { socketPath } from "./socketpath.js";
export { Supervisor, type Info, type Status, type SupervisorOptions } from "./supervisor.js";
export { backoff_ms, TIMING, type Timing } from "./timing.js";
export { pause } from "./tree.js";
