// What MCP servers offer for a message: resources, which are mentioned with @, and prompts, which begin with /.
import type {
  Attachment,
  McpContent,
  McpPrompt,
  McpResource,
  McpServer,
  McpServerDetails,
} from "@aster-sidecar/client";
import { useEffect, useState } from "react";
import { attachmentOf } from "./contents.js";
import { client, usePicture } from "./engine.js";
import { pathOf } from "./settings/mcp/useServer.js";
import { folded } from "./words.js";

export interface ResourceOffer {
  kind: "resource";
  server: string;
  resource: McpResource;
}

export interface PromptOffer {
  kind: "prompt";
  server: string;
  prompt: McpPrompt;
}

export type Offer = ResourceOffer | PromptOffer;

/** The word that is being typed, from `start` to `end` of the text, with its sign. */
export interface Typed {
  kind: Offer["kind"];
  start: number;
  end: number;
  query: string;
}

/** How many offers are listed at once. */
const LISTED_MOST = 50;

/** The mention or command at the caret; null if there is none. */
export function typedAt(text: string, caret: number): Typed | null {
  const before = text.slice(0, caret);
  const rest = /^\S*/.exec(text.slice(caret))?.[0] ?? "";
  const command = /^\/(\S*)$/.exec(before);
  if (command) return { kind: "prompt", start: 0, end: caret + rest.length, query: command[1] ?? "" };
  const mention = /(?:^|\s)@(\S*)$/.exec(before);
  if (!mention) return null;
  const query = mention[1] ?? "";
  return { kind: "resource", start: caret - query.length - 1, end: caret + rest.length, query };
}

/** What a person reads of an offer, and types. */
export const nameOf = (offer: Offer): string =>
  offer.kind === "prompt" ? `${offer.server}:${offer.prompt.name}` : offer.resource.name;

export const titleOf = (offer: Offer): string | null =>
  (offer.kind === "prompt" ? offer.prompt : offer.resource).title ?? null;

export const aboutOf = (offer: Offer): string =>
  offer.kind === "prompt" ? (offer.prompt.description ?? "") : `${offer.server}: ${offer.resource.uri}`;

function words(offer: Offer): string {
  const { description } = offer.kind === "prompt" ? offer.prompt : offer.resource;
  return folded([nameOf(offer), titleOf(offer), aboutOf(offer), description].join(" "));
}

/** The offers that have all parts of a query; those whose name begins with it come first. */
export function matching(offers: readonly Offer[], query: string): Offer[] {
  const wanted = folded(query);
  const parts = wanted.split(/[:/]+/).filter(Boolean);
  const fits = offers.filter((offer) => {
    const all = words(offer);
    return parts.every((part) => all.includes(part));
  });
  const first = (offer: Offer): boolean =>
    [nameOf(offer), offer.kind === "prompt" ? offer.prompt.name : ""].some((name) => folded(name).startsWith(wanted));
  return [...fits.filter(first), ...fits.filter((offer) => !first(offer))].slice(0, LISTED_MOST);
}

const has = (server: McpServer, kind: Offer["kind"]): boolean =>
  server.state === "ready" && (kind === "prompt" ? server.prompts : server.resources) > 0;

/** Whether a server that runs offers resources, or prompts. */
export function useOffered(kind: Offer["kind"]): boolean {
  return usePicture((state) => state.mcp.some((server) => has(server, kind)));
}

/** What the servers offer now; `kind` null: nothing is needed. */
export function useOffers(kind: Offer["kind"] | null): readonly Offer[] {
  const [found, setFound] = useState<readonly Offer[]>([]);
  const servers = usePicture((state) =>
    kind === null
      ? ""
      : state.mcp
          .filter((server) => has(server, kind))
          .map(({ name, resources, prompts }) => `${name} ${resources} ${prompts}`)
          .join("\n"),
  );
  useEffect(() => {
    if (kind === null) return;
    let gone = false;
    const names = servers === "" ? [] : servers.split("\n").map((line) => line.split(" ")[0] ?? "");
    void Promise.all(names.map((name) => offersOf(name, kind))).then((all) => {
      if (!gone) setFound(all.flat());
    });
    return () => {
      gone = true;
    };
  }, [kind, servers]);
  return kind === null ? [] : found.filter((offer) => offer.kind === kind);
}

async function offersOf(server: string, kind: Offer["kind"]): Promise<Offer[]> {
  try {
    const { resource_list, prompt_list } = await client.call<McpServerDetails>("GET", pathOf(server));
    return kind === "prompt"
      ? prompt_list.map((prompt) => ({ kind, server, prompt }))
      : resource_list.map((resource) => ({ kind, server, resource }));
  } catch {
    return []; // the server was removed, or the daemon is away
  }
}

/** Reads a resource. `session_id`: the server works in this conversation's folder. */
export async function readResource(
  server: string,
  uri: string,
  session_id: string | null,
  signal: AbortSignal,
): Promise<Attachment[]> {
  const body = { uri, ...(session_id !== null && { session_id }) };
  const content = await client.call<McpContent>("POST", `${pathOf(server)}/read`, body, { signal });
  return content.attachments.map(attachmentOf);
}

/** Gets a prompt with its arguments filled in. */
export async function fillPrompt(
  server: string,
  prompt: string,
  given: Readonly<Record<string, string>>,
  session_id: string | null,
): Promise<{ text: string; files: Attachment[] }> {
  const body = { prompt, arguments: given, ...(session_id !== null && { session_id }) };
  const { text, attachments } = await client.call<McpContent>("POST", `${pathOf(server)}/prompt`, body);
  return { text, files: attachments.map(attachmentOf) };
}
