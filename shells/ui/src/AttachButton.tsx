// The button that opens the file picker, and the problems with files that could not be attached.
import { useRef } from "react";
import { IconButton } from "./Buttons.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";

export function AttachButton({ onFiles }: { onFiles: (files: readonly File[]) => void }) {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])]);
          target.value = ""; // the same file may be chosen again
        }}
      />
      <IconButton
        icon="clip"
        className="attach-button"
        label={texts.attachments.attach}
        onClick={() => picker.current?.click()}
      />
    </>
  );
}

export function AttachProblems({ problems, onDismiss }: { problems: readonly string[]; onDismiss: () => void }) {
  return (
    <div className="attach-problems" role="alert" hidden={problems.length === 0}>
      {problems.length > 0 && (
        <>
          <ul>
            {problems.map((problem, place) => (
              <li key={place}>{visible(problem)}</li>
            ))}
          </ul>
          <IconButton icon="cross" label={texts.toasts.dismiss} onClick={onDismiss} />
        </>
      )}
    </div>
  );
}
