// Archived conversations, and deleted conversations that can be restored.
import type { SessionInfo } from "@aster-sidecar/client";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { Note } from "./Buttons.js";
import { client, onEvent } from "./engine.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { SessionRow } from "./Sidebar.js";
import { Trashed } from "./Trash.js";
import { said } from "./problems.js";

interface Pages {
  sessions: readonly SessionInfo[] | null;
  problem: string | null;
  /** Fetches the next page; null at the end. */
  more: (() => void) | null;
}

/** The archive or the trash, page by page; read again whenever a conversation changes. */
function usePages(which: "archived" | "deleted"): Pages {
  const [sessions, setSessions] = useState<readonly SessionInfo[] | null>(null);
  const [before, setBefore] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  const read = useCallback(
    (from: string | null) => {
      client.sessions.list({ [which]: true, limit: 100, ...(from !== null && { before: from }) }).then(
        (page) => {
          setSessions((known) => (from === null ? page.sessions : [...(known ?? []), ...page.sessions]));
          setBefore(page.next_before);
          setProblem(null);
        },
        (error: unknown) => {
          setProblem(said(error).message);
        },
      );
    },
    [which],
  );

  useEffect(() => {
    read(null);
    return onEvent(({ type }) => {
      if (type === "session_changed") read(null);
    });
  }, [read]);

  const more = (): void => {
    read(before);
  };
  return { sessions, problem, more: before === null ? null : more };
}

function Listed({ pages, none, children }: { pages: Pages; none: string; children: ReactNode }) {
  return (
    <>
      {pages.problem !== null && <Note kind="error">{visible(pages.problem)}</Note>}
      {pages.sessions?.length === 0 && <p className="quiet">{none}</p>}
      {children}
      {pages.more && (
        <button type="button" onClick={pages.more}>
          {texts.shared.showMore}
        </button>
      )}
    </>
  );
}

export default function Archive() {
  const archived = usePages("archived");
  const deleted = usePages("deleted");
  return (
    <div className="page-scroller" tabIndex={0} role="region" aria-label={texts.pages.archive}>
      <div className="page">
        <h1>{texts.pages.archive}</h1>
        <p className="lead">{texts.archive.lead}</p>
        <Listed pages={archived} none={texts.archive.none}>
          <div className="archive-list">
            {archived.sessions?.map((session) => (
              <SessionRow key={session.session_id} session={session} on={false} />
            ))}
          </div>
        </Listed>
        <section aria-labelledby="deleted">
          <h2 id="deleted">{texts.archive.deleted}</h2>
          <p className="quiet">{texts.archive.deletedLead}</p>
          <Listed pages={deleted} none={texts.archive.noneDeleted}>
            <ul className="rows">
              {deleted.sessions?.map((session) => (
                <Trashed key={session.session_id} session={session} />
              ))}
            </ul>
          </Listed>
        </section>
      </div>
    </div>
  );
}
