// The field for editing a conversation's title.
import { useEffect, useRef, useState } from "react";
import { texts } from "./messages.js";

/** Enter saves, Escape cancels. `onDone` gets the new title, or null if it stays the same. */
export function TitleField({ title, onDone }: { title: string; onDone: (title: string | null) => void }) {
  const [text, setText] = useState(title);
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    box.current?.focus();
    box.current?.select();
  }, []);
  const finish = (): void => {
    onDone(text.trim() !== "" && text.trim() !== title ? text : null);
  };
  return (
    <input
      ref={box}
      className="title-field"
      aria-label={texts.session.title}
      maxLength={200}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
      }}
      onBlur={finish}
      onKeyDown={(event) => {
        if (event.key === "Enter") finish();
        if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          onDone(null);
        }
      }}
    />
  );
}
