// The files of a message that is being written, above its text.
import { useEffect, useRef } from "react";
import { IconButton } from "./Buttons.js";
import { usePictureUrl, isPicture } from "./contents.js";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { again, canRepeat, detach, type Attached } from "./tray.js";
import { bytes } from "./words.js";

export function TrayView({
  tray,
  files,
  onEmptied,
}: {
  tray: string;
  files: readonly Attached[];
  /** The person has removed the last file: the focus goes on from here. */
  onEmptied: () => void;
}) {
  const list = useRef<HTMLUListElement>(null);
  /** The place of the removed file, whose button had the focus. */
  const removed = useRef<number | null>(null);
  useEffect(() => {
    const place = removed.current;
    removed.current = null;
    if (place === null) return;
    const buttons = list.current?.querySelectorAll<HTMLButtonElement>(".tray-remove");
    if (buttons && buttons.length > 0) buttons[Math.min(place, buttons.length - 1)]?.focus();
    else onEmptied();
  }, [files, onEmptied]);
  return (
    <ul ref={list} className="tray" aria-label={texts.attachments.label} hidden={files.length === 0}>
      {files.map((file, place) => (
        <Chip
          key={file.key}
          file={file}
          onRemove={() => {
            removed.current = place;
            detach(tray, file.key);
          }}
        />
      ))}
    </ul>
  );
}

function Chip({ file, onRemove }: { file: Attached; onRemove: () => void }) {
  const { key, name, size, sent, preview, info, problem } = file;
  const shown = info !== null && isPicture(info) && problem === null ? info.attachment_id : null;
  const { url } = usePictureUrl(shown);
  const picture = preview ?? url;
  const label = visibleText(name);
  return (
    <li className={problem === null ? "chip" : "chip chip-failed"}>
      <span className="chip-picture">
        {picture === null ? <Icon name="file" /> : <img src={picture} alt="" decoding="async" draggable={false} />}
      </span>
      <span className="chip-words">
        <span className="file-name" title={label}>
          {visible(name)}
        </span>
        {problem !== null ? (
          <span className="problem" role="alert">
            {visible(problem)}{" "}
            {canRepeat(file) && (
              <button type="button" className="link" onClick={() => again(key)}>
                {texts.shared.tryAgain}
              </button>
            )}
          </span>
        ) : info === null ? (
          <progress
            value={size > 0 ? sent : undefined}
            max={size || 1}
            aria-label={texts.attachments.progress(label)}
          />
        ) : (
          <span className="quiet">{bytes(size)}</span>
        )}
      </span>
      <IconButton icon="cross" className="tray-remove" label={texts.attachments.remove(label)} onClick={onRemove} />
    </li>
  );
}
