// Where a forked conversation comes from, below its title.
import type { Session } from "@aster-sidecar/client";
import { useEffect, useState } from "react";
import { client, usePicture } from "./engine.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { sessionHref } from "./route.js";

type Origin = NonNullable<Session["forked_from"]>;

export function Forked({ from: { session_id } }: { from: Origin }) {
  const known = usePicture((state) => state.sessions[session_id]?.title);
  /** The title of a conversation that is not in the picture; null if there is none with this id. */
  const [fetched, setFetched] = useState<string | null | undefined>(undefined);
  useEffect(() => {
    if (known !== undefined) return;
    let gone = false;
    const set = (title: string | null | undefined) => (): void => {
      if (!gone) setFetched(title);
    };
    client.sessions.get(session_id).then(
      ({ title }) => {
        set(title)();
      },
      (error: unknown) => {
        set((error as { code?: string }).code === "session_not_found" ? null : undefined)();
      },
    );
    return () => {
      gone = true;
    };
  }, [session_id, known]);
  const title = known ?? fetched;
  if (title === undefined) return null;
  return (
    <p className="head-fork quiet">
      {title === null
        ? texts.rewind.forkedFromDeleted
        : texts.rewind.forkedFrom(<a href={sessionHref(session_id)}>{visible(title)}</a>)}
    </p>
  );
}
