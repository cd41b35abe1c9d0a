// What the daemon offers around the conversation. Each part is shown only where the daemon has it.
import { useCallback, useEffect, useRef, useState } from "react";
import { client, onEvent, usePicture } from "./engine.js";
import { said } from "./words.js";

export interface Flag {
  name: string;
  description: string;
  value: boolean | string;
  default: boolean | string;
  choices: string[] | null;
  source: string;
}

export interface Secret {
  provider: string;
  variable: string;
  set: boolean;
  source: "environment" | "keychain" | "file" | null;
  protected: boolean;
}

export interface ModelCheck {
  ok: boolean;
  model: string;
  duration_ms: number;
  error: { code: string; message: string; hint: string | null } | null;
}

export interface Service {
  name: string;
  description: string;
  state: "stopped" | "starting" | "running" | "backoff" | "stopping" | "crashed";
  desired_running: boolean;
  autostart: boolean;
  pid: number | null;
  last_start: string | null;
  last_exit: { time: string; code: number | null; signal: string | null; error: string | null } | null;
  restart_attempt: number;
  next_restart: string | null;
}

export interface ServiceLogs {
  entries: { seq: number; time: string; stream: "stdout" | "stderr"; text: string }[];
  dropped: number;
  path: string | null;
}

export interface OnboardingStep {
  id: string;
  state: "done" | "current" | "todo" | "skipped";
  optional?: boolean;
  checks: { id: string; status: "ok" | "warning" | "blocked"; message: string; remedy: string | null }[];
  failures: number;
  last_error?: { code: string; message: string; hint: string | null } | null;
  actions: string[];
}

export interface Onboarding {
  steps: OnboardingStep[];
  current: string | null;
  done: boolean;
}

export interface Diagnostics {
  name: string;
  path: string;
  bytes: number;
  created_at: string;
}

export interface BearerInfo {
  bearer_id: string;
  created_at: string;
  last_used_at: string | null;
}

export interface Snapshot {
  daemon: {
    version: string;
    protocol: number;
    framework: string;
    port: number;
    pid: number;
    instance_id: string;
    started_at: string;
    status: string;
    model?: string;
    work_dir?: string;
    data_dir?: string;
    logs_dir?: string;
    token_required?: boolean;
  };
  warnings: { code: string; message: string; hint: string | null }[];
  metrics: Record<string, number>;
}

export interface Endpoint<T> {
  data: T | null;
  /** This daemon does not have it. */
  missing: boolean;
  problem: ReturnType<typeof said> | null;
  reload: () => void;
  set: (data: T) => void;
}

/** What an endpoint answers; asked again after each of these events, and when the daemon has started anew. */
export function useEndpoint<T>(path: string, events = ""): Endpoint<T> {
  const instance = usePicture((state) => state.connection.instance_id);
  const [state, setState] = useState<{ data: T | null; missing: boolean; problem: ReturnType<typeof said> | null }>({
    data: null,
    missing: false,
    problem: null,
  });
  const newest = useRef(0);
  const reload = useCallback(() => {
    const mine = (newest.current += 1);
    client.call<T>("GET", path).then(
      (data) => {
        if (mine === newest.current) setState({ data, missing: false, problem: null });
      },
      (error: unknown) => {
        if (mine !== newest.current) return;
        const { code } = error as { code?: string };
        const missing = code === "not_found" || code === "method_not_allowed";
        setState((before) => ({ ...before, missing, problem: missing ? null : said(error) }));
      },
    );
  }, [path]);
  useEffect(() => {
    reload();
    const types = events.split(" ").filter(Boolean);
    return onEvent(({ type }) => {
      if (types.includes(type) || type === "resync") reload();
    });
  }, [reload, events, instance]);
  const set = useCallback((data: T) => {
    newest.current += 1;
    setState({ data, missing: false, problem: null });
  }, []);
  return { ...state, reload, set };
}
