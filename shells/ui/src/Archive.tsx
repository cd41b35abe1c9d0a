// Conversations that were put away.
import type { SessionInfo } from "@aster-sidecar/client";
import { useCallback, useEffect, useState } from "react";
import { Note } from "./Buttons.js";
import { client, onEvent } from "./engine.js";
import { visible } from "./Plain.js";
import { useLeaving } from "./sessions.js";
import { SessionRow } from "./Sidebar.js";
import { said } from "./words.js";

export default function Archive() {
  const [sessions, setSessions] = useState<readonly SessionInfo[] | null>(null);
  const [before, setBefore] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const leaving = useLeaving();

  const read = useCallback((from: string | null) => {
    client.sessions.list({ archived: true, limit: 100, ...(from !== null && { before: from }) }).then(
      (page) => {
        setSessions((known) => (from === null ? page.sessions : [...(known ?? []), ...page.sessions]));
        setBefore(page.next_before);
        setProblem(null);
      },
      (error: unknown) => {
        setProblem(said(error).message);
      },
    );
  }, []);

  useEffect(() => {
    read(null);
    return onEvent(({ type }) => {
      if (type === "session_changed") read(null);
    });
  }, [read]);

  const shown = sessions?.filter(({ session_id }) => !leaving.has(session_id));
  return (
    <div className="page-scroller" tabIndex={0} role="region" aria-label="Archive">
      <div className="page">
        <h1>Archive</h1>
        <p className="lead">Conversations that you put away. A new message brings one back.</p>
        {problem && <Note kind="error">{visible(problem)}</Note>}
        {shown?.length === 0 && <p className="quiet">Nothing is archived.</p>}
        <div className="archive-list">
          {shown?.map((session) => (
            <SessionRow key={session.session_id} session={session} on={false} />
          ))}
        </div>
        {before !== null && (
          <button
            type="button"
            onClick={() => {
              read(before);
            }}
          >
            Show more
          </button>
        )}
      </div>
    </div>
  );
}
