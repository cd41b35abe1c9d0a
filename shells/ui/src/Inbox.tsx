// All questions that wait for a person, of every agent and conversation, oldest first; and the newest answered ones.
import { isOn, type NotificationEntry } from "@aster-sidecar/client";
import type { ReactNode } from "react";
import { Approval } from "./Approval.js";
import { markRead, openAttention } from "./attention.js";
import { usePicture } from "./engine.js";
import { Icon, type IconName } from "./Icon.js";
import { texts } from "./messages.js";
import { PageScroller } from "./PageScroller.js";
import { visible, visibleText } from "./Plain.js";
import { sessionHref } from "./route.js";
import { when } from "./words.js";

/** How many things wait for the person: everything that the inbox shows as open or unread. */
export function useWaiting(): number {
  const approvals = usePicture((state) => state.approvals.length);
  const shell = usePicture((state) => isOn(state, "companion_shell"));
  const unread = usePicture((state) => state.notifications.filter(isNews).filter(({ read }) => !read).length);
  return approvals + (shell ? unread : 0);
}

/** Questions are already listed above. */
const isNews = ({ kind }: { kind: NotificationEntry["kind"] }): boolean => kind !== "approval_required";

export default function Inbox() {
  const approvals = usePicture((state) => state.approvals);
  const sessions = usePicture((state) => state.sessions);
  const agents = usePicture((state) => state.agents);
  const answered = usePicture((state) => state.answered);
  const nameOf = (agent_id: string): string => agents.find(({ id }) => id === agent_id)?.name ?? agent_id;
  const recent = Object.values(answered).toReversed().slice(0, 10);
  return (
    <PageScroller name="inbox" label={texts.pages.inbox}>
      <div className="page">
        <h1>{texts.pages.inbox}</h1>
        <p className="lead">
          {approvals.length === 0 ? texts.inbox.noQuestions : texts.inbox.questions(approvals.length)}
        </p>
        <div className="inbox-list">
          {approvals.map((question, place) => {
            const session = sessions[question.session_id];
            return (
              <div key={question.call_id} className="inbox-item">
                <p className="inbox-where">
                  <a href={sessionHref(question.session_id)}>
                    {visible(session ? session.title : texts.inbox.conversation)}
                  </a>{" "}
                  · {visible(nameOf(question.agent_id))} · {texts.inbox.asked(when(question.requested_at))}
                </p>
                <Approval question={question} focus={place === 0} />
              </div>
            );
          })}
        </div>
        <News />
        {recent.length > 0 && (
          <section aria-labelledby="answered">
            <h2 id="answered">{texts.inbox.answered}</h2>
            <ul className="answered-list">
              {recent.map(({ call_id, decision, resolved_by, resolved_at, elsewhere, question }) => (
                <li key={call_id}>
                  {answeredBy(question?.name, decision, elsewhere ? resolved_by : null)}{" "}
                  <span className="quiet">
                    {question && <Where session_id={question.session_id} />} {when(resolved_at)}
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
  turn_done: "check",
  error: "warning",
  service_crashed: "warning",
};

/** The outcome of a call; `by`: who answered, null for the person here. */
function answeredBy(call: string | undefined, decision: string, by: string | null): ReactNode {
  const named = <code>{visible(call ?? texts.inbox.call)}</code>;
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
