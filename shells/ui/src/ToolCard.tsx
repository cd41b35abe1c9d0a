// One tool call: what it does, its progress and its result.
import type { AnsweredQuestion, ToolPart } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { Approval } from "./Approval.js";
import { Asked } from "./Asked.js";
import { Attachments } from "./Attachments.js";
import { Diff, withDiff } from "./Diff.js";
import { usePicture } from "./engine.js";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { Plain, visible, visibleText } from "./Plain.js";
import { QuestionCard } from "./QuestionCard.js";
import { useApproval, useQuestion } from "./questions.js";
import { duration, pretty } from "./words.js";

const ICONS: Record<ToolPart["state"], IconName> = {
  pending: "question",
  running: "retry",
  done: "check",
  failed: "warning",
  denied: "cross",
  cancelled: "stop",
  unknown: "question",
};

/** The ways in which a question ends without an answer from a person. */
const BY_ITSELF = new Set(["expired", "cancelled"]);

export function ToolCard({ part, session_id }: { part: ToolPart; session_id: string }) {
  const { call_id, name, state, risk, display } = part;
  const approval = useApproval(call_id);
  const question = useQuestion(call_id);
  const asked = part.question;
  /** The call is nothing but a question. */
  const onlyAsks = asked !== null && asked.server === null;
  const permitted = usePicture((picture) => picture.answered[call_id]);
  const ended = usePicture((picture) => (asked ? picture.answered_questions[asked.question_id] : undefined));
  const answered = ended ? endOf(ended) : permitted;
  const live = usePicture((picture) => picture.sessions[session_id]?.live.calls[call_id]);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? (state === "running" || state === "unknown" || (onlyAsks && asked.outcome === "answered"));
  const id = useId();
  const [shown, drawn] = withDiff(display ?? "", part.preview);

  if (approval || question) {
    return (
      <div className="tool tool-pending">
        {approval && <Approval question={approval} />}
        {question && <QuestionCard key={question.question_id} question={question} />}
      </div>
    );
  }
  return (
    <div className={`tool tool-${state}`}>
      <button
        type="button"
        className="tool-head"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => {
          setChosen(!open);
        }}
      >
        <span className={`tool-state ${state === "running" ? "turning" : ""}`}>
          <Icon name={ICONS[state]} />
        </span>
        <span className="tool-name">{visible(name)}</span>
        <span className="tool-what">{visible(summary(part))}</span>
        <span className="tool-facts">
          {risk !== "low" && <span className={`badge risk-badge-${risk}`}>{texts.risk[risk]}</span>}
          <span>{(onlyAsks ? texts.decision[asked.outcome ?? ""] : undefined) ?? texts.toolState[state]}</span>
          {part.duration_ms !== null && !onlyAsks && state !== "denied" && <span>{duration(part.duration_ms)}</span>}
        </span>
        <span className="tool-fold">
          <Icon name="chevron" />
        </span>
      </button>
      {state === "running" && live && (live.progress !== null || live.message !== null) && (
        <div className="tool-progress">
          {live.progress !== null && <progress value={live.progress} max={1} aria-label={texts.tool.progress(name)} />}
          {live.message !== null && <span>{visible(live.message)}</span>}
        </div>
      )}
      {answered?.elsewhere === true && state !== "pending" && !BY_ITSELF.has(answered.decision) && (
        <p className="tool-answered">
          {texts.tool.answered(
            texts.decision[answered.decision] ?? answered.decision,
            visibleText(answered.resolved_by),
          )}
        </p>
      )}
      {open && (
        <div id={id} className="tool-body">
          {state === "unknown" && <p className="tool-unknown">{texts.tool.unknown}</p>}
          {asked && <Asked asked={asked} />}
          {display !== null && !onlyAsks && (
            <Section title={texts.tool.runs}>
              <Plain text={shown} className="plain display" most={4000} />
              {drawn !== null && <Diff diff={drawn.diff} truncated={drawn.truncated} />}
            </Section>
          )}
          {!onlyAsks && (
            <details>
              <summary>{texts.shared.arguments}</summary>
              <Plain text={pretty(part.arguments)} most={4000} />
            </details>
          )}
          {live && live.output.length > 0 && <Output call={live} />}
          {part.error !== null && !onlyAsks && (
            <Section title={texts.tool.error}>
              <Plain text={part.error} className="plain error-text" most={4000} />
            </Section>
          )}
          {part.result !== null && !onlyAsks && <Result value={part.result} truncated={part.truncated} />}
        </div>
      )}
      {part.attachments !== null && <Attachments files={part.attachments} />}
    </div>
  );
}

/** How a question of a call ended, in the way of an approval request. */
function endOf(ended: AnsweredQuestion) {
  return { decision: ended.outcome, resolved_by: ended.resolved_by, elsewhere: ended.elsewhere };
}

function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div className="tool-section">
      <p className="label">{title}</p>
      {children}
    </div>
  );
}

/** The first line of its description. */
function summary({ display, arguments: given, question }: ToolPart): string {
  if (question?.server === null) return (question.fields[0]?.text ?? question.reason).slice(0, 200);
  if (display === null)
    return (
      Object.values(given)
        .find((value) => typeof value === "string")
        ?.slice(0, 200) ?? ""
    );
  const lines = display.split("\n", 4).filter((line) => line.trim() !== "");
  const first = lines[0] ?? "";
  return (first.endsWith(":") && lines[1] !== undefined ? lines[1] : first).slice(0, 200);
}

/** The output of a running tool. It scrolls to the end while the person is at the end. */
function Output({ call }: { call: { output: readonly { stream: string; text: string }[]; cut: boolean } }) {
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [call]);
  return (
    <Section title={texts.shared.output}>
      {call.cut && <p className="quiet">{texts.tool.outputCut}</p>}
      <pre
        ref={box}
        className="plain output"
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          const { scrollHeight, scrollTop, clientHeight } = currentTarget;
          atEnd.current = scrollHeight - scrollTop - clientHeight < 20;
        }}
      >
        {call.output.map(({ stream, text }, place) => (
          <span key={place} className={stream}>
            {visible(text)}
          </span>
        ))}
      </pre>
    </Section>
  );
}

/** A result: for a command its output, for anything else its JSON. */
function Result({ value, truncated }: { value: unknown; truncated: boolean }) {
  const rest =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? { ...(value as Record<string, unknown>) }
      : null;
  const printed: [string, string][] = [];
  if (rest && "exit_code" in rest) {
    for (const stream of ["stdout", "stderr"]) {
      const text = rest[stream];
      if (typeof text !== "string") continue;
      if (text !== "") printed.push([stream, text]);
      Reflect.deleteProperty(rest, stream);
    }
  }
  return (
    <>
      {printed.map(([stream, text]) => (
        <Section key={stream} title={stream === "stdout" ? texts.shared.output : texts.tool.errorOutput}>
          <Plain text={text} className="plain output" most={4000} />
        </Section>
      ))}
      <Section title={texts.tool.result}>
        <Plain text={pretty(rest ?? value)} most={4000} />
      </Section>
      {truncated && <p className="quiet">{texts.tool.resultCut}</p>}
    </>
  );
}
