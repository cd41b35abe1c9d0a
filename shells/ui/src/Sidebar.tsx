// The sidebar: the conversations, and the links to the other pages.
import type { Hit, Session } from "@aster-sidecar/client";
import { Fragment, memo, useEffect, useRef, useState, type RefObject } from "react";
import { IconButton } from "./Buttons.js";
import { folderName } from "./ConversationSettings.js";
import { client, onEvent, store, usePicture } from "./engine.js";
import { parted } from "./found.js";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { findHref, go, newHref, reopen, sessionHref, type Route } from "./route.js";
import { SessionMenu } from "./SessionMenu.js";
import { remove, rename } from "./sessions.js";
import { TitleField } from "./TitleField.js";
import { said } from "./problems.js";
import { ageOf, when } from "./words.js";

type Listed = Pick<
  Session,
  "session_id" | "agent_id" | "title" | "updated_at" | "state" | "archived" | "pinned" | "settings"
>;

interface SidebarProps {
  route: Route;
  search: RefObject<HTMLInputElement | null>;
  onClose: () => void;
  waiting: number;
}

export function Sidebar({ route, search, onClose, waiting }: SidebarProps) {
  const [query, setQuery] = useState("");
  const [agent, setAgent] = useState("");
  const [folder, setFolder] = useState("");
  const agents = usePicture((state) => state.agents);
  const folders = useFolders();
  const found = useFound(query, agent);
  return (
    <>
      <div className="side-head">
        <a className="brand" href="#/new">
          <Icon name="aster" />
          {texts.app.name}
        </a>
        <IconButton
          icon="plus"
          label={texts.shared.newConversation}
          onClick={() => {
            go(newHref(agent || undefined));
          }}
        />
        <IconButton icon="cross" label={texts.sidebar.closeMenu} className="narrow-only" onClick={onClose} />
      </div>
      <nav aria-label={texts.sidebar.pages} className="side-pages">
        <PageLink href="#/inbox" icon="inbox" label={texts.pages.inbox} on={route.page === "inbox"} count={waiting} />
        <PageLink href="#/agents" icon="agents" label={texts.pages.agents} on={route.page === "agents"} />
        <PageLink href="#/archive" icon="archive" label={texts.pages.archive} on={route.page === "archive"} />
        <PageLink href="#/settings" icon="settings" label={texts.pages.settings} on={route.page === "settings"} />
      </nav>
      <div className="side-search">
        <Icon name="search" />
        <input
          ref={search}
          type="search"
          placeholder={texts.shared.searchConversations}
          aria-label={texts.shared.searchConversations}
          maxLength={200}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape" && query !== "") {
              event.preventDefault();
              event.stopPropagation();
              setQuery("");
            }
          }}
        />
      </div>
      {agents.length > 1 && (
        <Filter
          label={texts.sidebar.showOf}
          value={agent}
          onChange={setAgent}
          options={[["", texts.sidebar.allAgents], ...agents.map(({ id, name }) => [id, visibleText(name)] as const)]}
        />
      )}
      {folders.length > 1 && (
        <Filter
          label={texts.sidebar.showIn}
          value={folder}
          onChange={setFolder}
          options={[
            ["", texts.sidebar.allFolders],
            [BY_FOLDER, texts.sidebar.byFolder],
            ...folders.map((path) => [path, visibleText(folderName(path))] as const),
          ]}
        />
      )}
      <nav aria-label={texts.shared.conversations} className="side-sessions">
        {found === null ? (
          <All route={route} agent={agent} folder={folders.length > 1 ? folder : ""} />
        ) : (
          <Found found={found} route={route} />
        )}
      </nav>
      <Foot />
    </>
  );
}

/** Which conversations are listed. `options` are values with their names. */
function Filter({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: readonly (readonly [string, string])[];
}) {
  return (
    <select
      className="side-agent"
      aria-label={label}
      value={value}
      onChange={(event) => {
        onChange(event.target.value);
      }}
    >
      {options.map(([one, name]) => (
        <option key={one} value={one}>
          {name}
        </option>
      ))}
    </select>
  );
}

function PageLink({
  href,
  icon,
  label,
  on,
  count = 0,
}: {
  href: string;
  icon: IconName;
  label: string;
  on: boolean;
  count?: number;
}) {
  return (
    <a href={href} aria-current={on ? "page" : undefined} className="page-link">
      <Icon name={icon} />
      <span>{label}</span>
      {count > 0 && (
        <span className="count" aria-label={texts.sidebar.waiting(count)}>
          {count > 99 ? "99+" : count}
        </span>
      )}
    </a>
  );
}

const BY_FOLDER = "*";

/** The folders of the listed conversations, each once; the daemon's own comes first. */
function useFolders(): readonly string[] {
  const own = usePicture((state) => state.daemon?.work_dir ?? "");
  const sessions = usePicture((state) => state.sessions);
  const found = new Set([own, ...Object.values(sessions).map((one) => one.settings?.work_dir.value ?? own)]);
  const [first = "", ...others] = found;
  return [first, ...others.sort((a, b) => folderName(a).localeCompare(folderName(b)))];
}

/** `folder`: only those of a folder; `*`: all, grouped by folder. */
function All({ route, agent, folder }: { route: Route; agent: string; folder: string }) {
  const folders = useFolders();
  const own = folders[0] ?? "";
  const folderOf = (session: Listed): string => session.settings?.work_dir.value ?? own;
  const order = usePicture((state) => state.order);
  const sessions = usePicture((state) => state.sessions);
  const more = usePicture((state) => state.sessions_before !== null);
  const [fetching, setFetching] = useState(false);
  const shown = order
    .map((session_id) => sessions[session_id])
    .filter((session) => session !== undefined)
    .filter((session) => !session.archived)
    .filter((session) => agent === "" || session.agent_id === agent)
    .filter((session) => folder === "" || folder === BY_FOLDER || folderOf(session) === folder);
  if (folder === BY_FOLDER) shown.sort((a, b) => folders.indexOf(folderOf(a)) - folders.indexOf(folderOf(b)));
  const twins = twinsIn(shown);
  const headingOf = (session: Listed): string => {
    if (folder === BY_FOLDER) return visibleText(folderName(folderOf(session)));
    return session.pinned ? texts.sidebar.pinned : texts.sidebar.ages[ageOf(session.updated_at)];
  };
  let before: string | null = null;
  return (
    <>
      {shown.length === 0 && <p className="quiet side-empty">{texts.sidebar.empty}</p>}
      {shown.map((session) => {
        const now = headingOf(session);
        const heading = now === before ? null : now;
        before = now;
        return (
          <Fragment key={session.session_id}>
            {heading !== null && <h2 className="side-age">{heading}</h2>}
            <SessionRow
              session={session}
              on={isOn(route, session.session_id)}
              timed={twins.has(session.session_id)}
              folder={folder === "" && folderOf(session) !== own ? folderName(folderOf(session)) : null}
            />
          </Fragment>
        );
      })}
      {more && (
        <button
          type="button"
          className="link side-more"
          disabled={fetching}
          onClick={() => {
            setFetching(true);
            store
              .loadSessions()
              .catch(() => undefined)
              .finally(() => {
                setFetching(false);
              });
          }}
        >
          {fetching ? texts.sidebar.fetching : texts.shared.showMore}
        </button>
      )}
    </>
  );
}

const isOn = (route: Route, session_id: string): boolean => route.page === "chat" && route.session_id === session_id;

interface Results {
  query: string;
  sessions: readonly Listed[];
  hits: Readonly<Record<string, Hit>>;
  next_before: string | null;
  problem: string | null;
}

/** The daemon's search results, while the person types; null without a search. */
function useFound(query: string, agent: string): Results | null {
  const [found, setFound] = useState<Results | null>(null);
  const [changes, setChanges] = useState(0);
  const wanted = query.trim();
  useEffect(
    () =>
      onEvent(({ type }) => {
        if (type === "session_changed") setChanges((before) => before + 1);
      }),
    [],
  );
  useEffect(() => {
    if (wanted === "") return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const which = { limit: 50, ...(agent !== "" && { agent_id: agent }) };
      client.sessions.search(wanted, which, { signal: stop.signal }).then(
        (page) => {
          setFound({ ...NOTHING, ...page, query: wanted });
        },
        (error: unknown) => {
          if (!stop.signal.aborted) setFound({ ...NOTHING, problem: said(error).message, query: wanted });
        },
      );
    }, 150);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [wanted, agent, changes]);
  return wanted === "" ? null : (found ?? { ...NOTHING, problem: texts.shared.searching });
}

const NOTHING: Results = { query: "", sessions: [], hits: {}, next_before: null, problem: null };

/** The conversations that share their title with another one; their time tells them apart. */
function twinsIn(sessions: readonly Listed[]): ReadonlySet<string> {
  const seen = new Map<string, string[]>();
  for (const { title, session_id } of sessions) seen.set(title, [...(seen.get(title) ?? []), session_id]);
  return new Set([...seen.values()].filter((ids) => ids.length > 1).flat());
}

function Found({ found, route }: { found: Results; route: Route }) {
  const { sessions: shown, hits, query } = found;
  return (
    <>
      <p className="side-age" role="status">
        {found.problem ??
          (shown.length === 0
            ? texts.sidebar.nothingFound
            : found.next_before === null
              ? texts.sidebar.found(shown.length)
              : texts.sidebar.foundMore(shown.length))}
      </p>
      {shown.map((session) => (
        <SessionRow
          key={session.session_id}
          session={session}
          on={isOn(route, session.session_id)}
          timed
          query={query}
          hit={hits[session.session_id]}
        />
      ))}
    </>
  );
}

interface SessionRowProps {
  session: Listed;
  on: boolean;
  /** Whether its time is shown. */
  timed?: boolean;
  /** The folder's name, if it is shown. */
  folder?: string | null;
  /** Where it was found, and the query. */
  hit?: Hit | undefined;
  query?: string;
}

export const SessionRow = memo(function SessionRow({
  session,
  on,
  timed = false,
  folder = null,
  hit,
  query = "",
}: SessionRowProps) {
  const [renaming, setRenaming] = useState(false);
  const link = useRef<HTMLAnchorElement>(null);
  const { session_id } = session;
  const title = session.title;
  const asks = usePicture(
    ({ approvals, questions }) =>
      approvals.some((one) => one.session_id === session_id) || questions.some((one) => one.session_id === session_id),
  );
  // A turn also waits for programs that lend tools.
  const busy = session.state === "waiting_approval" && !asks ? "running" : session.state;
  const state = session.state === busy ? texts.sidebar.states[busy] : texts.sidebar.waitsForProgram;
  if (renaming) {
    return (
      <div className="session-row">
        <TitleField
          title={title}
          onDone={(next) => {
            setRenaming(false);
            setTimeout(() => link.current?.focus());
            if (next !== null) void rename(session_id, next);
          }}
        />
      </div>
    );
  }
  return (
    <div className={`session-row ${on ? "on" : ""}`}>
      <a
        ref={link}
        href={hit ? findHref(session_id, query, hit.message_id) : sessionHref(session_id)}
        aria-current={on ? "page" : undefined}
        title={texts.sidebar.rowTitle(visibleText(title), when(session.updated_at))}
        onClick={({ currentTarget }) => {
          if (hit && currentTarget.hash === window.location.hash) reopen();
        }}
        onKeyDown={(event) => {
          if (event.key === "F2") setRenaming(true);
          else if (event.key === "Delete") void remove(session_id);
        }}
      >
        <span className="session-words">
          <span className="session-title">{visible(title)}</span>
          {hit && <Snippet hit={hit} />}
          {folder !== null && <span className="session-time">{visible(folder)}</span>}
          {timed && (
            <time className="session-time" dateTime={session.updated_at}>
              {when(session.updated_at)}
            </time>
          )}
        </span>
        {state !== undefined && <span className={`dot dot-${busy}`} role="img" aria-label={state} title={state} />}
      </a>
      <SessionMenu
        session={session}
        label={texts.sidebar.menuOf(visibleText(title))}
        onRename={() => setRenaming(true)}
      />
    </div>
  );
});

function Snippet({ hit: { text, start, end } }: { hit: Hit }) {
  const [before, found, after] = parted(text, start, end);
  return (
    <span className="session-hit">
      {visible(before)}
      <mark>{visible(found)}</mark>
      {visible(after)}
    </span>
  );
}

function Foot() {
  const link = usePicture((state) => state.connection.state);
  const model = usePicture((state) => state.config?.values.model?.value);
  return (
    <div className="side-foot">
      <span className={`link-state link-${link}`} role="status">
        <span className="dot" aria-hidden="true" />
        {texts.sidebar.link[link]}
      </span>
      {typeof model === "string" && model !== "" && (
        <a href="#/settings/models" className="quiet" title={texts.sidebar.model}>
          {visible(model)}
        </a>
      )}
    </div>
  );
}
