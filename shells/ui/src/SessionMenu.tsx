// The menu of a conversation, wherever it is listed.
import type { Session } from "@aster-sidecar/client";
import { Menu } from "./Buttons.js";
import { texts } from "./messages.js";
import { fork } from "./revisions.js";
import { archive, pin, remove } from "./sessions.js";

interface SessionMenuProps {
  session: Pick<Session, "session_id" | "archived" | "pinned">;
  label: string;
  onRename: () => void;
  onFind?: () => void;
}

export function SessionMenu({ session, label, onRename, onFind }: SessionMenuProps) {
  const { session_id, archived, pinned } = session;
  return (
    <Menu
      label={label}
      items={[
        ...(onFind ? [{ label: texts.conversation.find, icon: "search", onChoose: onFind } as const] : []),
        { label: texts.session.rename, icon: "edit", onChoose: onRename },
        ...(archived
          ? []
          : [
              {
                label: pinned ? texts.session.unpin : texts.session.pin,
                icon: "pin",
                onChoose: () => void pin(session_id, !pinned),
              } as const,
            ]),
        { label: texts.rewind.fork, icon: "fork", onChoose: () => void fork(session_id) },
        {
          label: archived ? texts.session.unarchive : texts.session.archive,
          icon: "archive",
          onChoose: () => void archive(session_id, !archived),
        },
        {
          label: texts.shared.delete,
          icon: "trash",
          danger: true,
          onChoose: () => void remove(session_id),
        },
      ]}
    />
  );
}
