// Follows what the app shows outside of its page: what waits for the person, new notifications, the agents' browser.
import {
  follow,
  hostTransport,
  type AsterEvent,
  type Client,
  type Feed,
  type HostWire,
  type components,
} from "@aster-sidecar/client";

type Snapshot = components["schemas"]["Snapshot"];
type McpServerInfo = components["schemas"]["McpServerInfo"];

/** The name of the MCP server that drives the agents' browser, and of the flag that turns it on. */
const BROWSER = "browser";

export interface Browser {
  /** The state of its MCP server. Null: it has none, because another server has the name. */
  state: McpServerInfo["state"] | null;
  /** Why it is not available. */
  error: string | null;
}

export interface News {
  notification_id: string;
  kind: string;
  title: string;
  body: string;
  session_id: string | null;
}

export interface Picture {
  /** The number of approval requests and questions that wait for an answer. */
  waiting: number;
  /** The number of unread notifications. */
  unread: number;
  /** Flags that the daemon does not name count as on. */
  flags: Readonly<Record<string, unknown>>;
  /** The agents' browser; null while it is off. */
  browser: Browser | null;
}

export interface AttentionOptions {
  onPicture(picture: Picture): void;
  onNews(news: News): void;
}

const TYPES = [
  "approval_required",
  "approval_resolved",
  "question_asked",
  "question_answered",
  "notification_added",
  "notifications_read",
  "flags_changed",
  "mcp_changed",
  "history_cleared",
];

export class Attention {
  readonly #client: Client;
  readonly #options: AttentionOptions;
  readonly #feed: Feed;
  /** The calls that wait for approval, and the questions, by their ids. */
  readonly #waiting = new Set<string>();
  /** Events that arrived while the snapshot was read: they may be older or newer than the snapshot. */
  #held: AsterEvent[] | null = null;
  #unread = 0;
  #flags: Record<string, unknown> = {};
  /** The MCP server of the agents' browser. */
  #server: Browser | null = null;

  constructor(client: Client, wire: HostWire, options: AttentionOptions) {
    this.#client = client;
    this.#options = options;
    this.#feed = follow(hostTransport({ host: wire }), {
      types: TYPES,
      onEvent: (event) => {
        this.#take(event);
      },
    });
  }

  get picture(): Picture {
    const browser = this.#flags[BROWSER] === true ? (this.#server ?? { state: null, error: null }) : null;
    return { waiting: this.#waiting.size, unread: this.#unread, flags: this.#flags, browser };
  }

  /** The daemon is there: connect now, without the rest of the delay. */
  retry(): void {
    this.#feed.retry();
  }

  close(): void {
    this.#feed.close();
  }

  async markRead(notification_id: string): Promise<void> {
    await this.#client.call("POST", "/api/notifications/read", { ids: [notification_id] }).catch(() => undefined);
  }

  #take(event: AsterEvent): void {
    switch (event.type) {
      case "connected":
      case "resync":
      case "history_cleared": // the events of a cleared history are gone
        void this.#read();
        return;
      case "notification_added": {
        const { notification_id, kind, title, body, session_id = null } = event.data;
        this.#options.onNews({ notification_id, kind, title, body, session_id });
        break;
      }
      case "mcp_changed":
        if (event.data.name !== BROWSER) return; // the other servers are not shown
        break;
      default:
        if (event.seq === null) return;
    }
    this.#held?.push(event);
    this.#count(event);
    this.#options.onPicture(this.picture);
  }

  /** May be called several times with the same events, in the stream's order, with the same result. */
  #count(event: AsterEvent): void {
    switch (event.type) {
      case "approval_required":
        this.#waiting.add(event.data.call_id);
        break;
      case "approval_resolved":
        this.#waiting.delete(event.data.call_id);
        break;
      case "question_asked":
        this.#waiting.add(event.data.question_id);
        break;
      case "question_answered":
        this.#waiting.delete(event.data.question_id);
        break;
      case "notification_added":
      case "notifications_read":
        this.#unread = event.data.unread;
        break;
      case "flags_changed":
        for (const { name, value } of event.data.changed) this.#flags[name] = value;
        break;
      case "mcp_changed":
        this.#server = browserOf(event.data);
        break;
      default:
    }
  }

  async #read(): Promise<void> {
    const held: AsterEvent[] = [];
    this.#held = held;
    try {
      const snapshot = await this.#client.call<Snapshot>("GET", "/api/snapshot");
      const { approvals, questions, notifications, flags, browser } = snapshot;
      if (this.#held !== held) return; // another read has begun
      this.#waiting.clear();
      for (const { call_id } of approvals) this.#waiting.add(call_id);
      for (const { question_id } of questions) this.#waiting.add(question_id);
      this.#unread = notifications.unread;
      this.#flags = Object.fromEntries(flags.map(({ name, value }) => [name, value]));
      this.#server = browser.server ? browserOf(browser.server) : null;
      for (const event of held) this.#count(event);
      this.#options.onPicture(this.picture);
    } catch {
      // The daemon is away again; after the next `connected` the snapshot is read again.
    } finally {
      if (this.#held === held) this.#held = null;
    }
  }
}

/** Null: the server was deleted, or belongs to the person's configuration. */
function browserOf({ managed, state, error = null }: McpServerInfo): Browser | null {
  return managed ? { state, error } : null;
}
