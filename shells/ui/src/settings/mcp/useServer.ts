// Reads an MCP server and changes its settings.
import type { McpConfig, McpServer, McpPatch, McpServerDetails } from "@aster-sidecar/client";
import { useEffect, useRef, useState } from "react";
import { useEndpoint, type Endpoint } from "../../endpoint.js";
import { client, store } from "../../engine.js";
import { said } from "../../problems.js";
import { offers } from "./draft.js";

export const pathOf = (name: string): string => `/api/mcp/${encodeURIComponent(name)}`;

/** The colour of each state. */
export const BADGE: Partial<Record<McpServer["state"], string>> = {
  ready: "badge-good",
  backoff: "badge-warning",
  crashed: "badge-bad",
};

type Said = ReturnType<typeof said>;

export interface ServerActions {
  /** Whether it is on; what is being saved is shown as if it were set already. */
  on: boolean;
  turn: (on: boolean) => void;
  restart: () => void;
  problem: Said | null;
}

export function useServerActions({ name, enabled }: Pick<McpServer, "name" | "enabled">): ServerActions {
  const [wanted, setWanted] = useState<boolean | null>(null);
  const [problem, setProblem] = useState<Said | null>(null);
  const failed = (error: unknown): void => setProblem(said(error));
  const turn = (on: boolean): void => {
    setProblem(null);
    setWanted(on);
    client
      .call("PATCH", pathOf(name), { enabled: on })
      // The event for this change may arrive shortly after the answer.
      .then(() =>
        Promise.race([
          store.until(({ mcp }) => mcp.some((one) => one.name === name && one.enabled === on)),
          new Promise((resolve) => setTimeout(resolve, 1000)),
        ]),
      )
      .catch(failed)
      .finally(() => setWanted(null));
  };
  const restart = (): void => {
    setProblem(null);
    client.call("POST", `${pathOf(name)}/restart`).catch(failed);
  };
  return { on: wanted ?? enabled, turn, restart, problem };
}

export interface ServerDetails extends Endpoint<McpServerDetails> {
  /** Changes settings; they are shown as if they were saved already. */
  change: (patchOf: (config: McpConfig) => McpPatch) => void;
  /** Why the last change failed. */
  failed: Said | null;
}

export function useServerDetails(name: string): ServerDetails {
  const server = useEndpoint<McpServerDetails>(pathOf(name), ["mcp_changed"]);
  const { data, set, reload } = server;
  const [failed, setFailed] = useState<Said | null>(null);
  /** How it will be once all changes that were made here are saved; null: they are. */
  const [wanted, setWanted] = useState<McpServerDetails | null>(null);
  const newest = useRef<McpServerDetails | null>(null);
  const queue = useRef<Promise<unknown>>(Promise.resolve());
  const waiting = useRef(0);
  useEffect(() => {
    if (waiting.current === 0) newest.current = data;
  }, [data]);

  function change(make: (config: McpConfig) => McpPatch): void {
    const now = newest.current;
    if (now === null) return;
    const patch = make(now.config);
    const config = { ...now.config, ...patch } as McpConfig;
    const tool_list = now.tool_list.map((tool) => ({ ...tool, enabled: offers(config, tool.tool) }));
    newest.current = { ...now, config, tool_list };
    setWanted(newest.current);
    setFailed(null);
    waiting.current += 1;
    // One after the other: each has the whole list that it changes.
    queue.current = queue.current
      .then(() => client.call<McpServerDetails>("PATCH", pathOf(name), patch))
      .then(
        (fresh) => {
          if (waiting.current === 1) newest.current = fresh;
          set(fresh);
        },
        (error: unknown) => {
          setFailed(said(error));
          reload();
        },
      )
      .finally(() => {
        waiting.current -= 1;
        if (waiting.current === 0) setWanted(null);
      });
  }

  return { ...server, data: wanted ?? data, change, failed };
}
