// All questions that wait for a person, of every agent and conversation, oldest first; and the newest answered ones.
import { isOn, type NotificationEntry } from "@aster-sidecar/client";
import { useMemo, type ReactNode } from "react";
import { Approval } from "./Approval.js";
import { markRead, openAttention } from "./attention.js";
import { usePicture } from "./engine.js";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { PageScroller } from "./PageScroller.js";
import { visible, visibleText } from "./Plain.js";
import { QuestionCard } from "./QuestionCard.js";
import { useOpenCount, useWaitingList } from "./questions.js";
import { sessionHref } from "./route.js";
import { when } from "./words.js";

/** How many things wait for the person: everything that the inbox shows as open or unread. */
export function useWaiting(): number {
  const open = useOpenCount();
  const shell = usePicture((state) => isOn(state, "companion_shell"));
  const unread = usePicture((state) => state.notifications.filter(isNews).filter(({ read }) => !read).length);
  return open + (shell ? unread : 0);
}

/** Questions are already listed above. */
const isNews = ({ kind }: { kind: NotificationEntry["kind"] }): boolean =>
  kind !== "approval_required" && kind !== "question_asked";

/** How many answers are listed. */
const RECENT = 10;

export default function Inbox() {
  const waiting = useWaitingList();
  const sessions = usePicture((state) => state.sessions);
  const agents = usePicture((state) => state.agents);
  const recent = useRecent();
  const nameOf = (agent_id: string): string => agents.find(({ id }) => id === agent_id)?.name ?? agent_id;
  return (
    <PageScroller name="inbox" label={texts.pages.inbox}>
      <div className="page">
        <h1>{texts.pages.inbox}</h1>
        <p className="lead">{waiting.length === 0 ? texts.inbox.noQuestions : texts.inbox.questions(waiting.length)}</p>
        <div className="inbox-list">
          {waiting.map(({ key, session_id, agent_id, asked_at, approval, question }, place) => {
            const session = sessions[session_id];
            return (
              <div key={key} className="inbox-item">
                <p className="inbox-where">
                  <a href={sessionHref(session_id)}>{visible(session ? session.title : texts.inbox.conversation)}</a> ·{" "}
                  {visible(nameOf(agent_id))} · {texts.inbox.asked(when(asked_at))}
                </p>
                {approval && <Approval question={approval} focus={place === 0} />}
                {question && <QuestionCard question={question} focus={place === 0} />}
              </div>
            );
          })}
        </div>
        <News />
        {recent.length > 0 && (
          <section aria-labelledby="answered">
            <h2 id="answered">{texts.inbox.answered}</h2>
            <ul className="answered-list">
              {recent.map(({ key, what, how, by, session_id, resolved_at }) => (
                <li key={key}>
                  {answeredBy(what, how, by)}{" "}
                  <span className="quiet">
                    <Where session_id={session_id} /> {when(resolved_at)}
                  </span>
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </PageScroller>
  );
}

const ICONS: Record<NotificationEntry["kind"], IconName> = {
  approval_required: "question",
  question_asked: "question",
  turn_done: "check",
  error: "warning",
  service_crashed: "warning",
};

interface Ended {
  key: string;
  what: ReactNode;
  how: string;
  /** Who answered; null: the person here. */
  by: string | null;
  session_id: string | null;
  resolved_at: string;
}

/** The newest answers to approval requests and questions, newest first. */
function useRecent(): readonly Ended[] {
  const approvals = usePicture((state) => state.answered);
  const questions = usePicture((state) => state.answered_questions);
  return useMemo(() => {
    const ended = Object.values(approvals).map(
      ({ call_id: key, decision: how, resolved_by, resolved_at, elsewhere, question }): Ended => ({
        key,
        what: <code>{visible(question?.name ?? texts.inbox.call)}</code>,
        how,
        by: elsewhere ? resolved_by : null,
        session_id: question?.session_id ?? null,
        resolved_at,
      }),
    );
    for (const { question_id: key, outcome: how, resolved_by, resolved_at, elsewhere, question } of Object.values(
      questions,
    )) {
      const asked = question ? (question.fields[0]?.text ?? question.reason) : null;
      ended.push({
        key,
        what: asked === null ? texts.question.unnamed : texts.question.named(visible(asked.slice(0, 200))),
        how,
        by: elsewhere ? resolved_by : null,
        session_id: question?.session_id ?? null,
        resolved_at,
      });
    }
    return ended.sort((a, b) => Date.parse(b.resolved_at) - Date.parse(a.resolved_at)).slice(0, RECENT);
  }, [approvals, questions]);
}

/** The outcome of a call or question; `by`: who answered, null for the person here. */
function answeredBy(named: ReactNode, decision: string, by: string | null): ReactNode {
  const words = texts.decision[decision] ?? decision;
  if (decision === "expired" || decision === "cancelled") return texts.inbox.ended(named, words);
  return by === null ? texts.inbox.answeredByYou(named, words) : texts.inbox.answeredBy(named, words, visibleText(by));
}

/** The title of the conversation that an entry belongs to. */
function Where({ session_id }: { session_id: string | null | undefined }) {
  const title = usePicture((state) => (session_id == null ? undefined : state.sessions[session_id]?.title));
  return title === undefined ? null : <>{texts.inbox.where(visible(title))} ·</>;
}

/** What happened while the person was away. */
function News() {
  const notifications = usePicture((state) => state.notifications);
  const shell = usePicture((state) => isOn(state, "companion_shell"));
  if (!shell) return null;
  const shown = notifications.filter(isNews);
  const unread = shown.filter(({ read }) => !read).length;
  return (
    <section aria-labelledby="news">
      <div className="section-head">
        <h2 id="news">{unread > 0 ? texts.inbox.awayUnread(unread) : texts.inbox.away}</h2>
        {unread > 0 && (
          <button type="button" className="link" onClick={() => void markRead()}>
            {texts.inbox.markRead}
          </button>
        )}
      </div>
      {shown.length === 0 && <p className="quiet">{texts.inbox.nothingNew}</p>}
      <ul className="attention-list">
        {shown.map((one) => (
          <li key={one.notification_id}>
            <button
              type="button"
              className={`attention ${one.read ? "" : "unread"}`}
              onClick={() => openAttention(one)}
            >
              <Icon name={ICONS[one.kind]} />
              <span>
                <strong>{visible(one.title)}</strong>
                {!one.read && <span className="out-of-sight"> {texts.inbox.unread}</span>}
                <span className="quiet">
                  {one.body !== "" && <>{visible(one.body)} · </>}
                  {when(one.created_at)}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
