// A dialog with a title and a button that closes it. Escape and a click beside it close it too.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { IconButton } from "./Buttons.js";
import { texts } from "./messages.js";

interface DialogProps {
  title: string;
  className?: string;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog({ title, className = "", onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`panel ${className}`}
      aria-labelledby={id}
      onClose={(event) => {
        if (event.target === dialog.current) onClose(); // not one inside of it
      }}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
    >
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        <IconButton icon="cross" label={texts.shared.close} onClick={() => dialog.current?.close()} />
      </div>
      <div className="panel-body" tabIndex={0}>
        {children}
      </div>
    </dialog>
  );
}
