// What one does with a conversation, wherever it stands.
import type { Session } from "@aster-sidecar/client";
import { Menu } from "./Buttons.js";
import { texts } from "./messages.js";
import { archive, remove } from "./sessions.js";

interface SessionMenuProps {
  session: Pick<Session, "session_id" | "archived">;
  label: string;
  onRename: () => void;
}

export function SessionMenu({ session: { session_id, archived }, label, onRename }: SessionMenuProps) {
  return (
    <Menu
      label={label}
      items={[
        { label: texts.session.rename, icon: "edit", onChoose: onRename },
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
