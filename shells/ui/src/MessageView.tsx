// One message of a conversation.
import { isOn, type Message, type Part } from "@aster-sidecar/client";
import { memo } from "react";
import { CopyButton, Note, ReadButton } from "./Buttons.js";
import { client, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { Markdown } from "./Markdown.js";
import { Plain, visible } from "./Plain.js";
import { go, newHref } from "./route.js";
import { useUnread } from "./sessions.js";
import { toast } from "./toasts.js";
import { ToolCard } from "./ToolCard.js";
import { count, duration, exactly, said, times, when } from "./words.js";

export interface MessageActions {
  /** Puts text into the composer. */
  edit: (text: string) => void;
  /** Sends a message. */
  say: (text: string) => void;
  /** Sends the message of a turn once more. */
  retry: (turn_id: string) => void;
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
  const turn = usePicture((state) => state.sessions[session_id]?.history?.turns[turn_id]);
  const agent_id = usePicture((state) => state.sessions[session_id]?.agent_id);
  const newest = usePicture(
    (state) => state.sessions[session_id]?.history?.messages.findLast(({ role }) => role === "assistant")?.turn_id,
  );
  const unread = useUnread().has(message_id) && newest === turn_id;
  const queued = turn?.state === "queued";
  const withdrawn = turn?.state === "cancelled" && turn.message_id === null;
  return (
    <article className="said" aria-label="You">
      <div className="said-box">
        <Plain text={text} className="plain said-text" most={6000} />
      </div>
      <footer className="message-foot">
        {queued && (
          <>
            <span className="badge">Queued</span>
            <button
              type="button"
              className="link"
              onClick={() => {
                if (agent_id === undefined) return;
                client.cancel({ agent_id, session_id, turn_id }).catch((error: unknown) => {
                  toast(`Not canceled: ${said(error).message}`, { kind: "error" });
                });
              }}
            >
              Cancel
            </button>
          </>
        )}
        {status === "pending" && <span className="badge">The agent reads this at its next step</span>}
        {unread && <span className="badge">Not read yet: the agent reads this with your next message</span>}
        {withdrawn && (
          <>
            <span className="badge">Canceled</span>
            <button type="button" className="link" onClick={() => actions.say(text)}>
              Send again
            </button>
          </>
        )}
        <time dateTime={created_at} title={exactly(created_at)}>
          {when(created_at)}
        </time>
        <span className="message-actions">
          <button
            type="button"
            className="small-button"
            onClick={() => {
              actions.edit(text);
            }}
          >
            <Icon name="edit" />
            Edit
          </button>
          <CopyButton text={text} label="Copy message" />
        </span>
      </footer>
    </article>
  );
}

const ENDS: Partial<Record<Message["status"], string>> = {
  cancelled: "Stopped by you.",
  interrupted: "Interrupted because Aster stopped. The text so far is kept.",
};

function Answer({ message, actions }: { message: Message; actions: MessageActions }) {
  const { session_id, message_id, turn_id, parts, status, usage, created_at } = message;
  const live = usePicture((state) => state.sessions[session_id]?.live.turns[turn_id]);
  const away = usePicture((state) => state.connection.state === "offline");
  const aloud = usePicture((state) => isOn(state, "tts")) && "speechSynthesis" in window;
  const newest = usePicture((state) => state.sessions[session_id]?.history?.messages.at(-1)?.message_id === message_id);
  const on = status === "streaming";
  const over = status !== "streaming" && status !== "waiting_approval" && status !== "pending";
  const ended = ENDS[status];
  const again = status === "failed" || status === "interrupted" || status === "cancelled";
  const noticed = parts.some((part) => part.type === "notice" && part.code === status);
  const last = parts.length - 1;
  // What ended a failed turn; the turn went on after all other notices, or ended in order.
  const failure = status === "failed" ? parts.findLastIndex((part) => part.type === "notice") : -1;
  const [input, output] = [usage?.input_tokens ?? 0, usage?.output_tokens ?? 0];
  return (
    <article className="answer" aria-label="Assistant" aria-busy={on && !away}>
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
          The provider failed ({visible(live.retry.message)}). Trying again in {duration(live.retry.delay_s * 1000)}:
          attempt {live.retry.attempt} of {live.retry.max_attempts}.
        </Note>
      )}
      {on && !away && <Working parts={parts} />}
      {ended !== undefined && !noticed && <p className="message-end">{ended}</p>}
      {live?.stop_reason === "denied" && <p className="message-end">The turn ended because a call was denied.</p>}
      {over && (
        <footer className="message-foot">
          <time dateTime={created_at} title={exactly(created_at)}>
            {when(created_at)}
          </time>
          {usage && input + output > 0 && (
            <span
              title={`${times(input, "token")} in, ${times(output, "token")} out, ${times(usage.requests ?? 0, "request")}`}
            >
              {count(input + output)} tokens
            </span>
          )}
          {usage?.cost_usd != null && <span>${usage.cost_usd.toFixed(usage.cost_usd < 0.01 ? 4 : 2)}</span>}
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
                Send again
              </button>
            )}
            {aloud && message.text !== "" && <ReadButton text={message.text} />}
            {message.text !== "" && <CopyButton text={message.text} label="Copy answer" />}
          </span>
        </footer>
      )}
    </article>
  );
}

function Working({ parts }: { parts: readonly Part[] }) {
  const last = parts.at(-1);
  if (last?.type === "tool" && last.state === "running") return null;
  const word = last === undefined ? "Starting" : last.type === "thinking" ? "Thinking" : "Writing";
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
  /** The part says why the turn failed. */
  failed: boolean;
  onContinue: (() => void) | null;
}) {
  switch (part.type) {
    case "text":
      return <Markdown text={part.text} growing={growing} />;
    case "thinking":
      return (
        <details className="thinking">
          <summary>{growing ? "Thinking…" : "Thoughts"}</summary>
          <Plain text={part.text} className="plain thinking-text" />
        </details>
      );
    case "tool":
      return <ToolCard part={part} session_id={session_id} />;
    case "notice":
      return <NoticeView notice={part} session_id={session_id} failed={failed} onContinue={onContinue} />;
    default:
      part satisfies never;
      return <p className="quiet">This page can’t show this part. Update the app to see it.</p>;
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
  "images_unsupported",
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
  if (CHOOSE_MODEL.has(code)) action = { label: "Choose a model", href: "#/settings/models" };
  else if (code === "context_too_long") action = { label: "New conversation", href: newHref(agent_id) };
  else if (code === "limit_reached") action = { label: "Limits", href: "#/settings/config" };
  const goesOn = CONTINUE.has(code) ? onContinue : null;
  return (
    <Note
      kind={failed ? "error" : "warning"}
      actions={
        (action !== null || goesOn !== null) && (
          <>
            {goesOn !== null && (
              <button type="button" onClick={goesOn}>
                Continue
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
