// One question: what exactly will run, why the agent asks, and the possible answers. Keys answer while the card has the
// focus.
import type { CheckAnswer } from "@aster-sidecar/client";
import type { ApprovalInfoView } from "./questions.js";
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Always, type AlwaysDecision, type Covered } from "./Always.js";
import { announce } from "./announce.js";
import { begun, keepBegun } from "./answers.js";
import { Note } from "./Buttons.js";
import { Diff, withDiff } from "./Diff.js";
import { store } from "./engine.js";
import { texts } from "./messages.js";
import { Display, Plain, visible, visibleText } from "./Plain.js";
import { said } from "./problems.js";
import { exactly, pretty } from "./words.js";

type Decision = "allow" | "deny" | AlwaysDecision;

/** No key decides permanently: “always allow” and “always deny” need a second key to confirm them. */
const KEYS: Record<string, "allow" | "deny" | AlwaysDecision | "note" | "edit"> = {
  a: "allow",
  d: "deny",
  l: "allow_always",
  x: "deny_always",
  n: "note",
  e: "edit",
};

const PREVIEW_MS = 250;

/** The arguments that a person wrote, if they are an object. */
function asArguments(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/**
 * A sentence. For a command, the only backquotes are those that the daemon puts around it; a file's name may contain
 * others.
 */
function sentenceOf(text: string): ReactNode {
  const [, before, command, after] = /^(Run )`([^`]*)`(.*)$/s.exec(text) ?? [];
  if (command === undefined) return visible(text);
  return (
    <>
      {before}
      <code>{visible(command)}</code>
      {visible(after ?? "")}
    </>
  );
}

export function Approval({ question, focus = false }: { question: ApprovalInfoView; focus?: boolean }) {
  const { call_id, agent_id, session_id, name } = question;
  const [note, setNote] = useState(() => begun(call_id).note);
  const [edited, setEdited] = useState(() => begun(call_id).edited);
  /** The “always” answer that waits for confirmation. */
  const [always, setAlways] = useState<AlwaysDecision | null>(null);
  /** What the edited arguments would do, and the text that this preview belongs to. */
  const [preview, setPreview] = useState<{ text: string; answer: CheckAnswer } | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [answering, setAnswering] = useState<Decision | null>(null);
  const card = useRef<HTMLElement>(null);
  const noteBox = useRef<HTMLTextAreaElement>(null);
  const editBox = useRef<HTMLTextAreaElement>(null);
  const id = useId();

  useEffect(() => {
    if (focus) card.current?.focus();
  }, [focus]);
  const noteOpen = note !== null;
  const editOpen = edited !== null;
  useEffect(() => {
    keepBegun(call_id, { note, edited });
  }, [call_id, note, edited]);

  useEffect(() => {
    if (edited === null) {
      setPreview(null);
      return;
    }
    const value = asArguments(edited);
    if (value === null) return;
    let wanted = true;
    const later = setTimeout(() => {
      store.client.check({ tool: name, arguments: value, agent_id, session_id }).then(
        (answer) => {
          if (wanted) setPreview({ text: edited, answer });
        },
        () => undefined, // their errors are shown when they are sent
      );
    }, PREVIEW_MS);
    return () => {
      wanted = false;
      clearTimeout(later);
    };
  }, [edited, name, agent_id, session_id]);
  const shownCall = preview?.answer ?? question;
  const { risk, reason, summary, display, preview: change } = shownCall;
  const scopes = shownCall.scopes ?? [];
  /** What “always allow” covers, unless there is a choice. */
  const covered = scopes[0]?.words ?? shownCall.remember;
  /** A denial is about the call as the agent made it. */
  const about = always === "deny_always" ? question : shownCall;
  const confirming = always === "allow_always" && covered === null ? null : always;
  const [shown, drawn] = withDiff(display, change);

  async function answer(decision: Decision, rule?: Covered): Promise<void> {
    if (answering !== null) return;
    let changed: Record<string, unknown> | undefined;
    if (edited !== null && decision.startsWith("allow")) {
      const read = objectIn(edited);
      if (typeof read === "string") {
        setProblem({ message: read, hint: null });
        editBox.current?.focus();
        return;
      }
      changed = read;
    }
    setAnswering(decision);
    setProblem(null);
    try {
      if (decision === "allow_always" && changed && preview?.text !== edited) {
        // What the rule would cover has not been shown for these arguments.
        const checked = await store.client.check({ tool: name, arguments: changed, agent_id, session_id });
        setPreview({ text: edited ?? "", answer: checked });
        setProblem({ message: texts.approval.notShown, hint: texts.approval.lookAgain });
        setAnswering(null);
        return;
      }
      await store.approve({
        agent_id,
        call_id,
        decision,
        ...rule,
        ...(note && { note }),
        ...(changed && { arguments: changed }),
        ...(changed && preview?.text === edited && { confirm: preview.answer.confirm }),
      });
      announce(texts.approval.answered(name, texts.decision[decision] ?? decision));
    } catch (error) {
      const { code, details } = error as { code?: string; details?: unknown };
      if (code === "edit_unconfirmed" && edited !== null) {
        setPreview({ text: edited, answer: details as CheckAnswer });
        setProblem({ message: said(error).message, hint: texts.approval.lookAgain });
      } else setProblem(said(error));
      setAnswering(null);
    }
  }

  /** Opens a field and focuses it; if it is open and empty or unchanged, closes it. */
  function open(what: "note" | "edit"): void {
    const [now, empty, box, set] =
      what === "note" ? [note, "", noteBox, setNote] : [edited, pretty(question.arguments), editBox, setEdited];
    if (now === null || now !== empty) {
      if (now === null) set(empty);
      setTimeout(() => box.current?.focus());
    } else {
      set(null);
      card.current?.focus();
    }
  }

  function act(what: "allow" | "deny" | AlwaysDecision | "note" | "edit"): void {
    if (what === "note" || what === "edit") open(what);
    else if (what === "deny_always" || (what === "allow_always" && covered !== null)) setAlways(what);
    else if (what !== "allow_always") void answer(what);
  }

  function pressed(event: KeyboardEvent): void {
    const typing = (event.target as Element).matches("input, select, textarea");
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      setAlways(null);
      card.current?.focus();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const what = KEYS[event.key.toLowerCase()];
    if (what === undefined || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    act(what);
  }

  const busy = answering !== null;
  return (
    <section
      ref={card}
      className={`approval risk-${risk}`}
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-call={call_id}
      onKeyDown={pressed}
    >
      <header>
        <h2 id={`${id}-title`}>{sentenceOf(summary)}</h2>
        <span className={`badge risk-badge-${risk}`}>{texts.risk[risk]}</span>
      </header>
      <p className="approval-reason">{visible(reason)}</p>
      <div className="approval-display" aria-label={texts.approval.runs} role="group">
        <Display text={shown} />
        {drawn !== null && <Diff diff={drawn.diff} truncated={drawn.truncated} />}
      </div>
      <details>
        <summary>{texts.approval.argumentsOf(visible(name))}</summary>
        <Plain text={pretty(question.arguments)} className="plain" />
      </details>
      {editOpen && (
        <div className="field">
          <label htmlFor={`${id}-edit`}>{texts.approval.editLabel}</label>
          <textarea
            ref={editBox}
            id={`${id}-edit`}
            className="mono"
            spellCheck={false}
            rows={Math.min(14, edited.split("\n").length + 1)}
            value={edited}
            aria-invalid={problem !== null}
            aria-describedby={problem ? `${id}-problem` : undefined}
            onChange={(event) => {
              setEdited(event.target.value);
            }}
          />
        </div>
      )}
      {noteOpen && (
        <div className="field">
          <label htmlFor={`${id}-note`}>{texts.approval.noteLabel}</label>
          <textarea
            ref={noteBox}
            id={`${id}-note`}
            rows={2}
            maxLength={10_000}
            value={note}
            onChange={(event) => {
              setNote(event.target.value);
            }}
          />
        </div>
      )}
      {problem && (
        <div id={`${id}-problem`} role="alert">
          <Note kind="error">
            {visible(problem.message)}
            {problem.hint && <span className="hint">{visible(problem.hint)}</span>}
          </Note>
        </div>
      )}
      <div className="approval-buttons">
        <button
          type="button"
          className="primary"
          disabled={busy}
          aria-keyshortcuts="a"
          title={texts.approval.allowTitle}
          onClick={() => void answer("allow")}
        >
          {editOpen ? texts.approval.allowEdited : texts.approval.allow} <kbd>a</kbd>
        </button>
        <button
          type="button"
          disabled={busy}
          aria-keyshortcuts="d"
          title={texts.approval.denyTitle}
          onClick={() => void answer("deny")}
        >
          {texts.approval.deny} <kbd>d</kbd>
        </button>
        <span className="approval-gap" />
        {covered !== null && (
          <button
            type="button"
            className="quiet-button"
            disabled={busy}
            aria-keyshortcuts="l"
            title={texts.approval.alwaysAllowTitle}
            aria-expanded={confirming === "allow_always"}
            onClick={() => act("allow_always")}
          >
            {texts.approval.alwaysAllow} <kbd>l</kbd>
          </button>
        )}
        <button
          type="button"
          className="quiet-button"
          disabled={busy}
          aria-keyshortcuts="x"
          title={texts.approval.alwaysDenyTitle}
          aria-expanded={confirming === "deny_always"}
          onClick={() => act("deny_always")}
        >
          {texts.approval.alwaysDeny} <kbd>x</kbd>
        </button>
        <button
          type="button"
          className="quiet-button"
          aria-keyshortcuts="n"
          title={texts.approval.noteTitle}
          aria-expanded={noteOpen}
          onClick={() => act("note")}
        >
          {texts.approval.note} <kbd>n</kbd>
        </button>
        <button
          type="button"
          className="quiet-button"
          aria-keyshortcuts="e"
          title={texts.approval.editTitle}
          aria-expanded={editOpen}
          onClick={() => act("edit")}
        >
          {texts.shared.edit} <kbd>e</kbd>
        </button>
      </div>
      {confirming !== null && (
        <Always
          key={confirming}
          decision={confirming}
          scopes={about.scopes ?? []}
          remember={about.remember}
          busy={busy}
          onSure={(rule) => void answer(confirming, rule)}
          onCancel={() => {
            setAlways(null);
            card.current?.focus();
          }}
        />
      )}
      <p className="quiet">
        {confirming === null &&
          (covered === null
            ? !reason.includes("always allowed") && texts.approval.noRule
            : scopes.length > 1
              ? texts.approval.coversChoice
              : texts.approval.covers(visible(covered)))}
        {question.expires_at && <> {texts.approval.expires(visibleText(exactly(question.expires_at)))}</>}
      </p>
    </section>
  );
}

/** The object that a JSON text contains; otherwise the reason why there is none. */
function objectIn(text: string): Record<string, unknown> | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return texts.approval.notObject;
    return value as Record<string, unknown>;
  } catch (error) {
    return texts.shared.invalidJson(said(error).message);
  }
}
