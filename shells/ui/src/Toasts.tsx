import { IconButton } from "./Buttons.js";
import { texts } from "./messages.js";
import { dismiss, useToasts } from "./toasts.js";

export function Toasts() {
  const toasts = useToasts();
  return (
    <div className="toasts" role="status" aria-live="polite" aria-label={texts.toasts.label}>
      {toasts.map(({ key, kind, text, action }) => (
        <div key={key} className={`toast toast-${kind}`}>
          <span>{text}</span>
          {action && (
            <button
              type="button"
              className="link"
              onClick={() => {
                dismiss(key);
                action.act();
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton
            icon="cross"
            label={texts.toasts.dismiss}
            onClick={() => {
              dismiss(key);
            }}
          />
        </div>
      ))}
    </div>
  );
}
