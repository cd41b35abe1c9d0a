// A conversation: its header, its messages and the composer.
import type { Attachment, Message } from "@aster-sidecar/client";
import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from "react";
import { announce } from "./announce.js";
import { Attachments } from "./Attachments.js";
import { ChangesOf, useChanges } from "./changes.js";
import { ChangesPanel } from "./ChangesPanel.js";
import { Composer, type ComposerHandle } from "./Composer.js";
import { folderName, modeName, SessionSettingsLine, SettingsPanel, type Choices } from "./ConversationSettings.js";
import { ContextMeter } from "./ContextMeter.js";
import { client, store, usePicture } from "./engine.js";
import { FindBar } from "./FindBar.js";
import { Forked } from "./Forked.js";
import { Gone } from "./Gone.js";
import { Icon } from "./Icon.js";
import { keep, keptJson } from "./keep.js";
import { escapeStops } from "./keys.js";
import { texts } from "./messages.js";
import { filesOf, MessageView, type MessageActions } from "./MessageView.js";
import { again, discard, post, postOrReturn, useOutbox, withoutFile, type IfBusy, type Outgoing } from "./outbox.js";
import { keepPlace, placeIn, type Place } from "./places.js";
import { Plain, visible, visibleText } from "./Plain.js";
import { useOpenCount } from "./questions.js";
import { findHref, go, newHref, replace, sessionHref, type Find } from "./route.js";
import { SessionMenu } from "./SessionMenu.js";
import { beginningOf, fork, reason, takeOut } from "./revisions.js";
import { RewindDialog } from "./RewindDialog.js";
import { RewindBar } from "./RewindBar.js";
import { BUSY, leftUnread, rename } from "./sessions.js";
import { TitleField } from "./TitleField.js";
import { fill } from "./tray.js";
import { toast } from "./toasts.js";
import { VirtualList, type ListHandle } from "./VirtualList.js";
import { said } from "./problems.js";

type Entry = Message | Outgoing;

const keyOf = (entry: Entry): string => ("client_message_id" in entry ? entry.client_message_id : entry.message_id);
/** The most pages of older messages to fetch in order to return to the last reading position. */
const PLACE_TRIES = 10;
/** Where the choices for the next new conversation are kept until it begins. */
const CHOICES = "new.choices";
/** The messages that the demo model understands. */
const SUGGESTIONS = ["list", "write hello.txt", "run", "think", "long"];

/** `session_id` null: a new conversation, which the first message creates. */
export function Conversation({
  session_id,
  agent_id,
  find,
}: {
  session_id: string | null;
  agent_id: string | null;
  find: Find | null;
}) {
  return session_id === null ? (
    <NewConversation key={agent_id} agent_id={agent_id} />
  ) : (
    <Opened key={session_id} session_id={session_id} find={find} />
  );
}

function NewConversation({ agent_id }: { agent_id: string | null }) {
  const agents = usePicture((state) => state.agents);
  const [chosen, setChosen] = useState(agent_id);
  const [choices, setChoices] = useState<Choices>(() => keptJson<Choices>(CHOICES, {}));
  const [changing, setChanging] = useState(false);
  const composer = useRef<ComposerHandle>(null);
  const outbox = useOutbox().filter((entry) => entry.session_id === null);
  const offline = usePicture((state) => state.connection.state === "offline");
  const working = agents.filter((agent) => agent.state !== "failed");
  const agent = working.find(({ id }) => id === chosen) ?? working.find(({ id }) => id === "default") ?? working[0];
  const model = usePicture((state) => state.config?.values.model?.value);
  const folder = usePicture((state) => state.daemon?.work_dir ?? "");
  const demo = String(choices.model ?? agent?.model ?? model).startsWith("demo");

  function send(message: string, attachments: readonly Attachment[] = []): void {
    const written = { agent_id: agent?.id ?? "default", session_id: null, session: choices, message, attachments };
    void post(written, "queue").then((session_id) => {
      if (session_id === null) return;
      choose({});
      go(sessionHref(session_id));
    });
  }

  function choose(next: Choices): void {
    setChoices(next);
    keep(CHOICES, Object.values(next).some((value) => value != null) ? JSON.stringify(next) : null);
  }

  return (
    <>
      <div className="scroller" tabIndex={0} role="region" aria-label={texts.shared.newConversation}>
        <div className="welcome">
          <h1>{texts.shared.newConversation}</h1>
          {agent && (
            <p className="welcome-agent">
              {working.length > 1 ? (
                <label>
                  {texts.conversation.withAgent(
                    <select
                      value={agent.id}
                      onChange={(event) => {
                        setChosen(event.target.value);
                      }}
                    >
                      {working.map(({ id, name }) => (
                        <option key={id} value={id}>
                          {visibleText(name)}
                        </option>
                      ))}
                    </select>,
                  )}
                </label>
              ) : (
                <>{visible(agent.description)}</>
              )}
              {working.length > 1 && agent.description !== "" && (
                <span className="quiet"> {visible(agent.description)}</span>
              )}
            </p>
          )}
          <p>
            <button
              type="button"
              className="head-settings quiet"
              aria-haspopup="dialog"
              onClick={() => setChanging(true)}
            >
              {[
                folderName(choices.work_dir ?? folder),
                ...(choices.model ? [choices.model] : []),
                ...(choices.effort ? [texts.panel.withEffort(choices.effort)] : []),
                ...(choices.permission_mode ? [modeName(choices.permission_mode)] : []),
                ...(choices.mcp_off ? [texts.panel.without(choices.mcp_off)] : []),
              ].map((words) => (
                <span key={words}>{visible(words)}</span>
              ))}
              <span className="link">{texts.panel.change}</span>
            </button>
          </p>
          {changing && (
            <SettingsPanel
              choices={choices}
              onChange={(change) => {
                choose({ ...choices, ...change });
                return Promise.resolve();
              }}
              onClose={() => setChanging(false)}
            />
          )}
          {demo && (
            <div className="suggestions">
              <p className="quiet">
                {texts.conversation.demo((words) => (
                  <a href="#/settings/models">{words}</a>
                ))}
              </p>
              <div className="suggestion-list">
                {SUGGESTIONS.map((words) => (
                  <button
                    key={words}
                    type="button"
                    onClick={() => {
                      send(words);
                    }}
                  >
                    {words}
                  </button>
                ))}
              </div>
            </div>
          )}
        </div>
        <div className="column">
          {outbox.map((entry) => (
            <OutgoingView
              key={entry.client_message_id}
              entry={entry}
              edit={(text, files, gone) => composer.current?.put(text, files, gone)}
            />
          ))}
        </div>
      </div>
      <Composer
        draftKey={`new.${agent_id ?? ""}`}
        busy={false}
        offline={offline}
        before={[]}
        onSend={(text, files) => {
          send(text, files);
        }}
        onStop={() => undefined}
        handle={composer}
      />
    </>
  );
}

function Opened({ session_id, find }: { session_id: string; find: Find | null }) {
  const session = usePicture((state) => state.sessions[session_id]);
  const ready = usePicture((state) => state.ready);
  const offline = usePicture((state) => state.connection.state === "offline");
  const outbox = useOutbox();
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [atEnd, setAtEnd] = useState(true);
  const [older, setOlder] = useState(false);
  const composer = useRef<ComposerHandle>(null);
  const list = useRef<ListHandle>(null);
  /** The panel with the changes, and the turn at which it begins. */
  const [looking, setLooking] = useState<{ turn_id: string | null } | null>(null);
  const changes = useChanges(session_id, looking !== null);
  /** The message at which the dialog asks about files. */
  const [rewinding, setRewinding] = useState<string | null>(null);
  /** A turn is being repeated. */
  const repeating = useRef(false);

  useEffect(() => {
    if (!ready) return;
    let gone = false;
    store.open(session_id).then(
      () => {
        if (!gone) setProblem(null);
      },
      (error: unknown) => {
        if (!gone) setProblem(said(error));
      },
    );
    return () => {
      gone = true;
      store.close(session_id);
    };
  }, [session_id, ready]);

  const there = session !== undefined;
  const [was, setWas] = useState(there);
  if (there && !was) setWas(true);
  const history = session?.history;
  const messages = history?.messages;
  const agent_id = session?.agent_id ?? "default";
  const busy = session !== undefined && BUSY.has(session.state);

  const stop = useCallback(() => {
    const { turns = {}, messages = [] } = store.getState().sessions[session_id]?.history ?? {};
    const queued = Object.values(turns).filter(({ state }) => state === "queued").length;
    const unread = messages.filter(({ role, status }) => role === "user" && status === "pending");
    client.cancel({ agent_id, session_id }).then(
      () => {
        const words = [texts.conversation.stopped];
        if (queued > 0) words.push(texts.conversation.queuedCanceled(queued));
        if (unread.length > 0) words.push(texts.conversation.unread);
        leftUnread(unread.map(({ message_id }) => message_id));
        if (words.length > 1) toast(words.join(" "), { seconds: 20 });
      },
      (error: unknown) => {
        toast(texts.conversation.notStopped(said(error).message), { kind: "error" });
      },
    );
  }, [agent_id, session_id]);

  // Escape stops the answer, unless the focused element uses keys itself.
  useEffect(() => {
    if (!busy) return;
    const pressed = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
      if (escapeStops(event.target)) stop();
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, [busy, stop]);

  useSpoken(session_id);
  const entries = useMemo<readonly Entry[]>(() => {
    const known = new Set(messages?.map(({ message_id }) => message_id));
    const waiting = outbox.filter(
      (entry) => entry.session_id === session_id && !(entry.message_id !== null && known.has(entry.message_id)),
    );
    return waiting.length > 0 ? [...(messages ?? []), ...waiting] : (messages ?? []);
  }, [messages, outbox, session_id]);

  const before = useMemo(() => {
    const said = (messages ?? []).filter(({ role, text }) => role === "user" && text !== "");
    return [...new Set(said.map(({ text }) => text))].slice(-100);
  }, [messages]);

  const send = useCallback(
    (message: string, attachments: readonly Attachment[], if_busy: IfBusy) => {
      void post({ agent_id, session_id, message, attachments }, if_busy);
      list.current?.toEnd();
    },
    [agent_id, session_id],
  );

  /** Replaces a message and all after it by a new one. Resolves with why that failed, or null. */
  const replaceBy = useCallback(
    async (message_id: string, message: string, attachments: readonly Attachment[]) => {
      try {
        await takeOut(session_id, { message_id, files: "keep" });
      } catch (error) {
        return { why: reason(error), gone: [] };
      }
      const refused = await postOrReturn({ agent_id, session_id, message, attachments });
      list.current?.toEnd();
      if (refused === null) return null;
      const { message: why = "", hint = null } = refused.problem ?? {};
      return { why: hint ? texts.shared.withHint(why, hint) : why, gone: refused.gone };
    },
    [agent_id, session_id],
  );

  const revise = useCallback(
    async (message_id: string, text: string, files: readonly Attachment[]) => {
      const problem = await replaceBy(message_id, text, files);
      if (problem === null) return true;
      toast(texts.rewind.notSent(problem.why), { kind: "error", about: session_id });
      if (problem.gone.length > 0) composer.current?.put(text, files, problem.gone, message_id);
      return false;
    },
    [replaceBy, session_id],
  );

  const regenerate = useCallback(
    async (turn_id: string) => {
      const said = await beginningOf(session_id, turn_id);
      if (!said || repeating.current) return;
      repeating.current = true;
      const problem = await replaceBy(said.message_id, said.text, filesOf(said));
      repeating.current = false;
      if (problem === null) return;
      toast(texts.rewind.notRegenerated(problem.why), { kind: "error", about: session_id });
      // If it was taken out, it can be sent from the composer, or put back.
      if (store.getState().sessions[session_id]?.rewind?.message_id === said.message_id)
        composer.current?.put(said.text, filesOf(said), problem.gone, said.message_id);
    },
    [replaceBy, session_id],
  );

  /** What the turns of this message and of those after it changed in files. */
  const changedAfter = useCallback(
    (message_id: string) => {
      const messages = store.getState().sessions[session_id]?.history?.messages ?? [];
      const from = messages.findIndex((message) => message.message_id === message_id);
      const turn_ids = new Set(messages.slice(Math.max(0, from)).map(({ turn_id }) => turn_id));
      return [...(changes?.values() ?? [])].filter(({ turn_id }) => turn_ids.has(turn_id));
    },
    [session_id, changes],
  );

  const actions = useMemo<MessageActions>(
    () => ({
      revise(message) {
        composer.current?.put(message.text, filesOf(message), [], message.message_id);
      },
      regenerate(turn_id) {
        void regenerate(turn_id);
      },
      changes(turn_id) {
        setLooking({ turn_id });
      },
      rewind(message_id) {
        if (changedAfter(message_id).length > 0) {
          setRewinding(message_id);
          return;
        }
        takeOut(session_id, { message_id, files: "keep" }).catch((error: unknown) => {
          toast(texts.rewind.notRewound(reason(error)), { kind: "error", about: session_id });
        });
      },
      fork(turn_id) {
        void beginningOf(session_id, turn_id).then((said) => said && fork(session_id, said.message_id));
      },
      edit(text, files, gone) {
        composer.current?.put(text, files, gone);
      },
      say(text, files = []) {
        send(text, files, "queue");
      },
      retry(turn_id) {
        const said = store
          .getState()
          .sessions[session_id]?.history?.messages.find(
            (message) => message.turn_id === turn_id && message.role === "user",
          );
        if (said) send(said.text, filesOf(said), "queue");
      },
    }),
    [send, session_id, regenerate, changedAfter],
  );

  const render = useCallback(
    (entry: Entry) =>
      "client_message_id" in entry ? (
        <OutgoingView entry={entry} edit={actions.edit} />
      ) : (
        <MessageView message={entry} actions={actions} />
      ),
    [actions],
  );

  const next_before = history?.next_before ?? null;
  const loading = useRef(false);
  const loadOlder = useCallback(() => {
    if (next_before === null || loading.current) return;
    loading.current = true;
    setOlder(true);
    store
      .loadOlder(session_id, 200)
      .catch(() => undefined) // the store's state has the error; scrolling tries again
      .finally(() => {
        loading.current = false;
        setOlder(false);
      });
  }, [next_before, session_id]);

  // The last reading position may be in an older part of the history, which is fetched first.
  const [place] = useState(() => placeIn(session_id));
  const [tries, setTries] = useState(0);
  const lacking =
    place !== null &&
    tries < PLACE_TRIES &&
    next_before !== null &&
    messages !== undefined &&
    !messages.some(({ message_id }) => message_id === place.key);
  useEffect(() => {
    if (!lacking) return;
    let gone = false;
    store
      .loadOlder(session_id, 200)
      .catch(() => undefined)
      .finally(() => {
        if (!gone) setTries((before) => before + 1);
      });
    return () => {
      gone = true;
    };
  }, [lacking, tries, session_id]);
  /** Loads the history back to a message. Resolves with whether the message exists. */
  const bring = useCallback(
    async (message_id: string) => {
      for (;;) {
        const now = store.getState().sessions[session_id]?.history;
        if (now?.messages.some((message) => message.message_id === message_id)) return true;
        if (!now?.next_before) return false;
        await store.loadOlder(session_id, 200);
        if (store.getState().sessions[session_id]?.history?.next_before === now.next_before) return false;
      }
    },
    [session_id],
  );
  const kept = useCallback(
    (now: Place | null) => {
      keepPlace(session_id, now);
    },
    [session_id],
  );

  const deleted = ready && session === undefined && was;
  const findable = history !== undefined && !lacking && !deleted;
  const findField = useFindKey(session_id, findable);
  if (deleted || (problem !== null && !history)) {
    return (
      <div className="page">
        <Gone session_id={session_id} problem={deleted ? null : problem} />
        {entries.map(
          (entry) =>
            "client_message_id" in entry && (
              <OutgoingView
                key={entry.client_message_id}
                entry={entry}
                edit={(text, files, gone) => {
                  keep("text.new.", text);
                  fill("new.", files, gone);
                  go(newHref());
                }}
              />
            ),
        )}
      </div>
    );
  }

  return (
    <ChangesOf value={changes}>
      <Head session_id={session_id} onChanges={() => setLooking({ turn_id: null })} />
      {looking && (
        <ChangesPanel
          session_id={session_id}
          turns={changes}
          begin={looking.turn_id}
          onClose={() => setLooking(null)}
        />
      )}
      {rewinding !== null && (
        <RewindDialog
          session_id={session_id}
          message_id={rewinding}
          turns={changedAfter(rewinding)}
          folder={session?.settings?.work_dir.value}
          onClose={() => setRewinding(null)}
        />
      )}
      {find && history && !lacking && (
        <FindBar
          key={find.opening}
          session_id={session_id}
          begin={find}
          list={list}
          bring={bring}
          version={`${history.messages.length} ${session.state}`}
          field={findField}
          onClose={() => {
            replace(sessionHref(session_id));
          }}
        />
      )}
      {history && !lacking ? (
        <div className="list-frame">
          <VirtualList
            items={entries}
            keyOf={keyOf}
            render={render}
            label={texts.conversation.messages}
            onNearStart={loadOlder}
            onAtEnd={setAtEnd}
            place={place}
            onPlace={kept}
            handle={list}
            head={
              <div className="list-head" aria-hidden={next_before === null}>
                {older ? texts.conversation.loadingOlder : ""}
              </div>
            }
            tail={
              entries.length === 0 ? (
                <p className="empty">{texts.conversation.noMessages}</p>
              ) : (
                <div className="list-tail" />
              )
            }
          />
          {!atEnd && (
            <button
              type="button"
              className="to-end"
              aria-label={texts.conversation.toEnd}
              title={texts.conversation.toEnd}
              onClick={() => {
                list.current?.toEnd();
              }}
            >
              <Icon name="down" />
            </button>
          )}
        </div>
      ) : (
        <div className="scroller" role="status">
          <p className="empty">{texts.conversation.loading}</p>
        </div>
      )}
      {session && <RewindBar session_id={session_id} rewind={session.rewind} />}
      <Composer
        draftKey={session_id}
        session_id={session_id}
        busy={busy && !offline}
        offline={offline}
        before={before}
        onSend={send}
        onRevise={revise}
        onStop={stop}
        handle={composer}
      />
    </ChangesOf>
  );
}

function Head({ session_id, onChanges }: { session_id: string; onChanges: () => void }) {
  const session = usePicture((state) => state.sessions[session_id]);
  const [renaming, setRenaming] = useState(false);
  if (!session) return <header className="head" />;
  const title = session.title;
  return (
    <header className="head">
      <div className="head-title">
        {renaming ? (
          <TitleField
            title={title}
            onDone={(next) => {
              setRenaming(false);
              if (next !== null) void rename(session_id, next);
            }}
          />
        ) : (
          <h1
            title={visibleText(title)}
            onDoubleClick={() => {
              setRenaming(true);
            }}
          >
            {visible(title)}
          </h1>
        )}
        <SessionSettingsLine session={session} busy={BUSY.has(session.state)} />
        {session.forked_from && <Forked key={session.forked_from.session_id} from={session.forked_from} />}
      </div>
      {session.changed_files > 0 && (
        <button
          type="button"
          className="small-button head-changes"
          aria-haspopup="dialog"
          title={texts.changes.title}
          onClick={onChanges}
        >
          {texts.changes.count(session.changed_files)}
        </button>
      )}
      {session.context && <ContextMeter context={session.context} />}
      <SessionMenu
        session={session}
        label={texts.conversation.menu}
        onRename={() => setRenaming(true)}
        onFind={() => {
          replace(findHref(session_id));
        }}
      />
    </header>
  );
}

/** Searches the conversation on Ctrl+F or ⌘F. If the field has the focus already, the browser's own search opens. */
function useFindKey(session_id: string, findable: boolean): RefObject<HTMLInputElement | null> {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!findable) return;
    const pressed = (event: globalThis.KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "f")
        return;
      if (document.querySelector("dialog[open]") !== null) return;
      const open = field.current;
      if (open && document.activeElement === open) return;
      event.preventDefault();
      if (open) open.select();
      open?.focus();
      if (!open) replace(findHref(session_id));
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, [session_id, findable]);
  return field;
}

/** A message that the daemon does not have yet. */
function OutgoingView({
  entry,
  edit,
}: {
  entry: Outgoing;
  edit: (text: string, files: readonly Attachment[], gone: readonly string[]) => void;
}) {
  const { client_message_id, message: text, attachments, gone, state, problem, written_at } = entry;
  const offline = usePicture((picture) => picture.connection.state !== "connected");
  return (
    <article
      className={`said outgoing outgoing-${state}`}
      aria-label={state === "sending" ? texts.outgoing.label : texts.outgoing.states.waiting}
    >
      <Attachments
        files={attachments}
        marked={gone}
        onRemove={
          state === "refused"
            ? (attachment_id) => {
                withoutFile(client_message_id, attachment_id);
              }
            : undefined
        }
      />
      {text.trim() !== "" && (
        <div className="said-box">
          <Plain text={text} className="plain said-text" most={6000} />
        </div>
      )}
      <footer className="message-foot">
        <span className="badge">{texts.outgoing.states[state]}</span>
        {state === "waiting" && offline && <span>{texts.shared.unreachable}</span>}
        {problem && state === "refused" && (
          <span className="problem" role="alert">
            {visible(problem.hint ? texts.shared.withHint(problem.message, problem.hint) : problem.message)}
          </span>
        )}
        {state !== "sending" && (
          <span className="outgoing-actions">
            <button
              type="button"
              className="link"
              onClick={() => {
                void again(client_message_id).then((session_id) => {
                  if (entry.session_id === null && session_id !== null) go(sessionHref(session_id));
                });
              }}
            >
              {texts.outgoing.sendNow}
            </button>
            <button
              type="button"
              className="link"
              onClick={() => {
                discard(client_message_id);
                edit(text, attachments, gone);
              }}
            >
              {texts.shared.edit}
            </button>
            <button
              type="button"
              className="link"
              onClick={() => {
                discard(client_message_id);
              }}
            >
              {texts.outgoing.discard}
            </button>
          </span>
        )}
        {state === "waiting" && (
          <time dateTime={written_at}>{texts.outgoing.written(new Date(written_at).toLocaleTimeString())}</time>
        )}
      </footer>
    </article>
  );
}

/** Announces to a screen reader what has happened. */
function useSpoken(session_id: string): void {
  const known = useRef<{ state: string; questions: number } | null>(null);
  const state = usePicture((picture) => picture.sessions[session_id]?.state);
  const questions = useOpenCount(session_id);
  useEffect(() => {
    if (state === undefined) return;
    const before = known.current;
    known.current = { state, questions };
    if (before === null) return;
    if (questions > before.questions) announce(texts.conversation.questions(questions));
    else if (state === "running" && before.state !== "running" && before.state !== "waiting_approval")
      announce(texts.conversation.answering);
    else if ((state === "idle" || state === "failed") && before.state !== state) {
      const last = store.getState().sessions[session_id]?.history?.messages.at(-1);
      if (last?.role !== "assistant") return;
      const words = last.text.replace(/\s+/g, " ").slice(0, 300);
      announce(state === "failed" ? texts.conversation.failed(words) : texts.conversation.answered(words));
    }
  }, [state, questions, session_id]);
}
