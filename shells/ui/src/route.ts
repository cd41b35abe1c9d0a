// The current place in the app: the part of the address after #, so that it works under any scheme.
import { useSyncExternalStore } from "react";

export type Route =
  | { page: "chat"; session_id: string | null; agent_id: string | null; find: Find | null }
  | { page: "inbox" | "agents" | "archive" | "welcome" }
  /** `item`: one thing of the section. */
  | { page: "settings"; section: string; item: string | null };

/** The query in a conversation, and the message in which it was found. */
export interface Find {
  query: string;
  at: string | null;
  /** The number of this opening. */
  opening: number;
}

let openings = 0;
/** The longest query that the daemon accepts, in characters. */
const QUERY_MOST = 200;

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [first = "", second = "", third = ""] = path.split("/").map(decoded);
  switch (first) {
    case "approvals": // the name that a shell's notification may use
      return { page: "inbox" };
    case "inbox":
    case "agents":
    case "archive":
    case "welcome":
      return { page: first };
    case "settings":
      return { page: "settings", section: second || "models", item: third || null };
    case "s":
      return { page: "chat", session_id: second || null, agent_id: null, find: findOf(new URLSearchParams(query)) };
    default:
      return { page: "chat", session_id: null, agent_id: new URLSearchParams(query).get("agent"), find: null };
  }
}

function findOf(query: URLSearchParams): Find | null {
  const wanted = query.get("find");
  if (wanted === null) return null;
  openings += 1;
  return { query: Array.from(wanted).slice(0, QUERY_MOST).join(""), at: query.get("at"), opening: openings };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const sessionHref = (session_id: string): string => `#/s/${encodeURIComponent(session_id)}`;
/** The address of a search in a conversation, at a matching message. */
export const findHref = (session_id: string, query = "", message_id?: string): string =>
  `${sessionHref(session_id)}?${new URLSearchParams({ find: query, ...(message_id && { at: message_id }) }).toString()}`;
/** The page of an MCP server. */
export const mcpHref = (name: string): string => `#/settings/mcp/${encodeURIComponent(name)}`;
export const newHref = (agent_id?: string): string =>
  agent_id === undefined ? "#/new" : `#/new?agent=${encodeURIComponent(agent_id)}`;

export function go(href: string): void {
  window.location.hash = href;
}

let current = { hash: window.location.hash, route: parse(window.location.hash) };

/** Changes the place without a new entry in the browser's history. */
export function replace(href: string): void {
  window.history.replaceState(null, "", href);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Opens the current address again. */
export function reopen(): void {
  current = { ...current, route: parse(current.hash) };
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  return useSyncExternalStore(
    (changed) => {
      window.addEventListener("hashchange", changed);
      return () => {
        window.removeEventListener("hashchange", changed);
      };
    },
    () => {
      const { hash } = window.location;
      if (hash !== current.hash) current = { hash, route: parse(hash) };
      return current.route;
    },
  );
}
