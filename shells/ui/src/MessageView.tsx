// One message of a conversation.
import { isOn, type Attachment, type Message, type Part, type StoreState } from "@aster-sidecar/client";
import { memo, useContext } from "react";
import { Attachments } from "./Attachments.js";
import { CopyButton, Menu, Note, ReadButton, SmallButton } from "./Buttons.js";
import { ChangesOf } from "./changes.js";
import { client, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { Markdown } from "./Markdown.js";
import { texts } from "./messages.js";
import { Plain, visible } from "./Plain.js";
import { go, newHref } from "./route.js";
import { BUSY, useUnread } from "./sessions.js";
import { toast } from "./toasts.js";
import { ToolCard } from "./ToolCard.js";
import { said } from "./problems.js";
import { duration, exactly, when } from "./words.js";

export interface MessageActions {
  /** Lets the person write a new version of a message, which replaces it and all after it. */
  revise: (message: Message) => void;
  /** Answers the message of a turn again, in place of this answer and all after it. */
  regenerate: (turn_id: string) => void;
  /** Takes a message and all after it out. */
  rewind: (message_id: string) => void;
  /** Shows what a turn changed in files. */
  changes: (turn_id: string) => void;
  /** Copies the conversation up to and with a turn. */
  fork: (turn_id: string) => void;
  /** Puts a text and files into the composer. `gone`: those of the files that the daemon no longer has. */
  edit: (text: string, files: readonly Attachment[], gone?: readonly string[]) => void;
  /** Sends a message. */
  say: (text: string, files?: readonly Attachment[]) => void;
  /** Sends the message of a turn again. */
  retry: (turn_id: string) => void;
}

/** The files of a message, in its order. */
export function filesOf({ parts }: Message): Extract<Part, { type: "image" | "file" }>[] {
  return parts.filter((part) => part.type === "image" || part.type === "file");
}

/** The id of the message that began a turn, if it is loaded. */
function beginningOf({ sessions }: StoreState, session_id: string, turn_id: string): string | undefined {
  const messages = sessions[session_id]?.history?.messages;
  return messages?.find((message) => message.turn_id === turn_id && message.role === "user")?.message_id;
}

/** Why messages of this conversation can't be taken out now; null if they can. */
function useBusy(session_id: string): string | null {
  return usePicture((state) => BUSY.has(state.sessions[session_id]?.state ?? "")) ? texts.rewind.busy : null;
}

export const MessageView = memo(function MessageView({
  message,
  actions,
}: {
  message: Message;
  actions: MessageActions;
}) {
  return message.role === "user" ? (
    <Said message={message} actions={actions} />
  ) : (
    <Answer message={message} actions={actions} />
  );
});

function Said({ message, actions }: { message: Message; actions: MessageActions }) {
  const { session_id, message_id, turn_id, text, status, created_at } = message;
  const files = filesOf(message);
  const turn = usePicture((state) => state.sessions[session_id]?.history?.turns[turn_id]);
  const agent_id = usePicture((state) => state.sessions[session_id]?.agent_id);
  const newest = usePicture(
    (state) => state.sessions[session_id]?.history?.messages.findLast(({ role }) => role === "assistant")?.turn_id,
  );
  const unread = useUnread().has(message_id) && newest === turn_id;
  const begins = usePicture((state) => beginningOf(state, session_id, turn_id) === message_id);
  const blocked = useBusy(session_id);
  const queued = turn?.state === "queued";
  const over = turn === undefined || !["queued", "running", "waiting"].includes(turn.state);
  const withdrawn = turn?.state === "cancelled" && turn.message_id === null;
  return (
    <article className="said" aria-label={texts.shared.you}>
      <Attachments files={files} />
      {text.trim() !== "" && (
        <div className="said-box">
          <Plain text={text} className="plain said-text" most={6000} />
        </div>
      )}
      <footer className="message-foot">
        {queued && (
          <>
            <span className="badge">{texts.message.queued}</span>
            <button
              type="button"
              className="link"
              onClick={() => {
                if (agent_id === undefined) return;
                client.cancel({ agent_id, session_id, turn_id }).catch((error: unknown) => {
                  toast(texts.message.notCanceled(said(error).message), { kind: "error" });
                });
              }}
            >
              {texts.shared.cancel}
            </button>
          </>
        )}
        {status === "pending" && <span className="badge">{texts.message.pending}</span>}
        {unread && <span className="badge">{texts.message.unread}</span>}
        {withdrawn && (
          <>
            <span className="badge">{texts.message.canceled}</span>
            <button type="button" className="link" onClick={() => actions.say(text, files)}>
              {texts.shared.sendAgain}
            </button>
          </>
        )}
        <time dateTime={created_at} title={exactly(created_at)}>
          {when(created_at)}
        </time>
        <span className="message-actions">
          {begins && (
            <SmallButton
              icon="edit"
              label={texts.shared.edit}
              blocked={blocked}
              onClick={() => {
                actions.revise(message);
              }}
            />
          )}
          {text !== "" && <CopyButton text={text} label={texts.message.copy} />}
          {begins && (
            <Menu
              label={texts.rewind.menu}
              items={[
                {
                  label: texts.rewind.here,
                  icon: "undo",
                  blocked,
                  onChoose: () => {
                    actions.rewind(message_id);
                  },
                },
                {
                  label: texts.rewind.forkHere,
                  icon: "fork",
                  blocked: over ? null : texts.rewind.busy,
                  onChoose: () => {
                    actions.fork(turn_id);
                  },
                },
              ]}
            />
          )}
        </span>
      </footer>
    </article>
  );
}

function Answer({ message, actions }: { message: Message; actions: MessageActions }) {
  const { session_id, message_id, turn_id, parts, status, usage, created_at } = message;
  const live = usePicture((state) => state.sessions[session_id]?.live.turns[turn_id]);
  const away = usePicture((state) => state.connection.state === "offline");
  const aloud = usePicture((state) => isOn(state, "tts")) && "speechSynthesis" in window;
  const newest = usePicture((state) => state.sessions[session_id]?.history?.messages.at(-1)?.message_id === message_id);
  const blocked = useBusy(session_id);
  const changed = useContext(ChangesOf)?.get(turn_id)?.files.length;
  const on = status === "streaming";
  const over = status !== "streaming" && status !== "waiting_approval" && status !== "pending";
  const ended = texts.answer.ends[status];
  const again = status === "failed" || status === "interrupted" || status === "cancelled";
  const noticed = parts.some((part) => part.type === "notice" && part.code === status);
  const last = parts.length - 1;
  // The notice that ended a failed turn. After any other notice the turn went on or ended normally.
  const failure = status === "failed" ? parts.findLastIndex((part) => part.type === "notice") : -1;
  const [input, output] = [usage?.input_tokens ?? 0, usage?.output_tokens ?? 0];
  return (
    <article className="answer" aria-label={texts.answer.label} aria-busy={on && !away}>
      {parts.map((part, place) => (
        <PartView
          key={part.type === "tool" ? part.call_id : place}
          part={part}
          session_id={session_id}
          growing={on && place === last}
          failed={place === failure}
          onContinue={
            newest && over
              ? () => {
                  actions.say("go on");
                }
              : null
          }
        />
      ))}
      {live?.retry && (
        <Note kind="warning">
          {texts.answer.retrying(
            visible(live.retry.message),
            duration(live.retry.delay_s * 1000),
            live.retry.attempt,
            live.retry.max_attempts,
          )}
        </Note>
      )}
      {on && !away && <Working parts={parts} />}
      {ended !== undefined && !noticed && <p className="message-end">{ended}</p>}
      {live?.stop_reason === "denied" && <p className="message-end">{texts.answer.denied}</p>}
      {over && changed !== undefined && (
        <button
          type="button"
          className="turn-changed link"
          aria-haspopup="dialog"
          onClick={() => {
            actions.changes(turn_id);
          }}
        >
          {texts.changes.count(changed)}
        </button>
      )}
      {over && (
        <footer className="message-foot">
          <time dateTime={created_at} title={exactly(created_at)}>
            {when(created_at)}
          </time>
          {usage && input + output > 0 && (
            <span title={texts.answer.usage(input, output, usage.requests ?? 0)}>
              {texts.shared.tokens(input + output)}
            </span>
          )}
          {usage?.cost_usd != null && (
            <span>{texts.answer.cost(usage.cost_usd.toFixed(usage.cost_usd < 0.01 ? 4 : 2))}</span>
          )}
          <span className={again ? "message-actions offered" : "message-actions"}>
            {again && (
              <button
                type="button"
                className="small-button"
                onClick={() => {
                  actions.retry(turn_id);
                }}
              >
                <Icon name="retry" />
                {texts.shared.sendAgain}
              </button>
            )}
            {!again && (
              <SmallButton
                icon="retry"
                label={texts.rewind.regenerate}
                blocked={blocked}
                onClick={() => {
                  actions.regenerate(turn_id);
                }}
              />
            )}
            {aloud && message.text !== "" && <ReadButton text={message.text} />}
            {message.text !== "" && <CopyButton text={message.text} label={texts.answer.copy} />}
            <Menu
              label={texts.rewind.menu}
              items={[
                {
                  label: texts.rewind.forkHere,
                  icon: "fork",
                  onChoose: () => {
                    actions.fork(turn_id);
                  },
                },
              ]}
            />
          </span>
        </footer>
      )}
    </article>
  );
}

function Working({ parts }: { parts: readonly Part[] }) {
  const last = parts.at(-1);
  if (last?.type === "tool" && last.state === "running") return null;
  const word =
    last === undefined
      ? texts.answer.starting
      : last.type === "thinking"
        ? texts.answer.thinking
        : texts.answer.writing;
  return (
    <p className="working">
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {word}
    </p>
  );
}

function PartView({
  part,
  session_id,
  growing,
  failed,
  onContinue,
}: {
  part: Part;
  session_id: string;
  growing: boolean;
  /** This part explains why the turn failed. */
  failed: boolean;
  onContinue: (() => void) | null;
}) {
  switch (part.type) {
    case "text":
      return <Markdown text={part.text} growing={growing} />;
    case "thinking":
      return (
        <details className="thinking">
          <summary>{growing ? texts.answer.thoughtsGrowing : texts.answer.thoughts}</summary>
          <Plain text={part.text} className="plain thinking-text" />
        </details>
      );
    case "tool":
      return <ToolCard part={part} session_id={session_id} />;
    case "image":
    case "file":
      return <Attachments files={[part]} />;
    case "notice":
      return <NoticeView notice={part} session_id={session_id} failed={failed} onContinue={onContinue} />;
    default:
      part satisfies never;
      return <p className="quiet">{texts.answer.unknownPart}</p>;
  }
}

const CHOOSE_MODEL = new Set([
  "model_not_set",
  "model_unknown",
  "no_local_model",
  "key_missing",
  "key_refused",
  "extra_missing",
  "tools_unsupported",
  "attachment_unsupported",
  "out_of_memory",
  "endpoint_unknown",
  "address_invalid",
  "model_silent",
]);
const CONTINUE = new Set(["output_limit", "limit_reached"]);

function NoticeView({
  notice: { code, message, hint },
  session_id,
  failed,
  onContinue,
}: {
  notice: Extract<Part, { type: "notice" }>;
  session_id: string;
  failed: boolean;
  onContinue: (() => void) | null;
}) {
  const agent_id = usePicture((state) => state.sessions[session_id]?.agent_id);
  if (code === "history_compacted") return <p className="message-end">{visible(message)}</p>;
  let action = null;
  if (CHOOSE_MODEL.has(code)) action = { label: texts.answer.chooseModel, href: "#/settings/models" };
  else if (code === "context_too_long") action = { label: texts.shared.newConversation, href: newHref(agent_id) };
  else if (code === "limit_reached") action = { label: texts.answer.limits, href: "#/settings/config" };
  const goesOn = CONTINUE.has(code) ? onContinue : null;
  return (
    <Note
      kind={failed ? "error" : "warning"}
      actions={
        (action !== null || goesOn !== null) && (
          <>
            {goesOn !== null && (
              <button type="button" onClick={goesOn}>
                {texts.shared.continue}
              </button>
            )}
            {action !== null && (
              <button
                type="button"
                onClick={() => {
                  go(action.href);
                }}
              >
                {action.label}
              </button>
            )}
          </>
        )
      }
    >
      {visible(message)}
      {hint && <span className="hint">{visible(hint)}</span>}
    </Note>
  );
}
